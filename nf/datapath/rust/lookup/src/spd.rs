//! The outbound SPD: the PROTECT entry of an inner packet.

use crate::Flow;
use crate::selector::{Selector, mask, number};
use std::collections::{BTreeMap, HashMap};

/// One entry: any local selector with any remote selector of the same family.
#[derive(Debug)]
pub struct Entry<T> {
    /// What the source of an outbound packet may be.
    pub local: Vec<Selector>,
    /// What the destination may be.
    pub remote: Vec<Selector>,
    /// What the packet is handed to.
    pub value: T,
}

impl<T> Entry<T> {
    /// Whether a packet that leaves lies inside.
    pub fn matches_outbound(&self, flow: &Flow) -> bool {
        let (sport, dport) = flow.ports.unzip();
        any(&self.local, flow.source, flow.protocol, sport) && any(&self.remote, flow.destination, flow.protocol, dport)
    }

    /// Whether a packet that arrived lies inside.
    pub fn matches_inbound(&self, flow: &Flow) -> bool {
        let (sport, dport) = flow.ports.unzip();
        any(&self.remote, flow.source, flow.protocol, sport) && any(&self.local, flow.destination, flow.protocol, dport)
    }
}

fn any(selectors: &[Selector], address: std::net::IpAddr, protocol: u8, port: Option<u16>) -> bool {
    selectors.iter().any(|selector| selector.matches(address, protocol, port))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    remote: u128,
    local: u128,
}

struct Slot<T> {
    id: u64,
    age: u64,
    local: Selector,
    remote: Selector,
    value: T,
}

/// Prefix lengths of remote and local addresses, longest first in the order of the map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Shape {
    remote: std::cmp::Reverse<u8>,
    local: std::cmp::Reverse<u8>,
}

type Buckets<T> = HashMap<Key, Vec<Slot<T>>>;

/// Entries by (prefix of remote, prefix of local): a lookup asks one hash table for each pair of prefix lengths in use, the
/// longest remote prefix first, then the longest local one; within one bucket the narrower selector, then the newer entry.
///
/// A range that is no prefix lies under the longest prefix that covers it, and its ends are checked there. So cost follows
/// the number of different prefix lengths, not of entries; only entries with the same prefixes (told apart by protocol or
/// port) are searched one by one.
pub struct Spd<T> {
    v4: BTreeMap<Shape, Buckets<T>>,
    v6: BTreeMap<Shape, Buckets<T>>,
    keys: HashMap<u64, Vec<(bool, Shape, Key)>>,
    age: u64,
}

impl<T> Default for Spd<T> {
    fn default() -> Self {
        Self { v4: BTreeMap::new(), v6: BTreeMap::new(), keys: HashMap::new(), age: 0 }
    }
}

impl<T: Clone> Spd<T> {
    /// Add an entry under an id of the caller's; an entry with that id is replaced.
    pub fn insert(&mut self, id: u64, entry: &Entry<T>) {
        self.remove(id);
        self.age += 1;
        let mut keys = Vec::new();
        for remote in &entry.remote {
            for local in entry.local.iter().filter(|local| local.is_v6() == remote.is_v6()) {
                let ((remote_net, remote_len), (local_net, local_len)) = (remote.cover(), local.cover());
                let shape = Shape { remote: std::cmp::Reverse(remote_len), local: std::cmp::Reverse(local_len) };
                let key = Key { remote: remote_net, local: local_net };
                let shapes = if remote.is_v6() { &mut self.v6 } else { &mut self.v4 };
                let bucket = shapes.entry(shape).or_default().entry(key).or_default();
                bucket.push(Slot { id, age: self.age, local: *local, remote: *remote, value: entry.value.clone() });
                bucket.sort_by_key(|slot| (slot.remote.span(), slot.local.span(), std::cmp::Reverse(slot.age)));
                keys.push((remote.is_v6(), shape, key));
            }
        }
        self.keys.insert(id, keys);
    }

    /// Take an entry away.
    pub fn remove(&mut self, id: u64) {
        for (v6, shape, key) in self.keys.remove(&id).unwrap_or_default() {
            let shapes = if v6 { &mut self.v6 } else { &mut self.v4 };
            let Some(buckets) = shapes.get_mut(&shape) else { continue };
            if let Some(bucket) = buckets.get_mut(&key) {
                bucket.retain(|slot| slot.id != id);
                if bucket.is_empty() {
                    buckets.remove(&key);
                }
            }
            if buckets.is_empty() {
                shapes.remove(&shape);
            }
        }
    }

    /// The entry for a packet that leaves.
    pub fn find(&self, flow: &Flow) -> Option<T> {
        let v6 = flow.destination.is_ipv6();
        let (shapes, width) = if v6 { (&self.v6, 128) } else { (&self.v4, 32) };
        let (source, destination) = (number(flow.source), number(flow.destination));
        let (sport, dport) = flow.ports.unzip();
        shapes.iter().find_map(|(shape, buckets)| {
            let key =
                Key { remote: mask(destination, width, shape.remote.0), local: mask(source, width, shape.local.0) };
            let slot = buckets.get(&key)?.iter().find(|slot| {
                slot.remote.matches(flow.destination, flow.protocol, dport)
                    && slot.local.matches(flow.source, flow.protocol, sport)
            })?;
            Some(slot.value.clone())
        })
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether it has no entry.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::IpAddr;
    use std::sync::Arc;

    type Entry = super::Entry<Arc<u64>>;

    fn sel(protocol: u8, ports: (u16, u16), first: &str, last: &str) -> Selector {
        Selector::new(protocol, ports.0, ports.1, first.parse().unwrap(), last.parse().unwrap()).unwrap()
    }

    fn any4() -> Selector {
        sel(0, (0, 65535), "0.0.0.0", "255.255.255.255")
    }

    fn flow(source: &str, destination: &str, protocol: u8, ports: Option<(u16, u16)>) -> Flow {
        let (source, destination): (IpAddr, IpAddr) = (source.parse().unwrap(), destination.parse().unwrap());
        Flow { source, destination, protocol, ports, length: 0, transport: 0, fragment: false }
    }

    fn add(spd: &mut Spd<Arc<u64>>, id: u64, local: Selector, remote: Selector) {
        spd.insert(id, &Entry { local: vec![local], remote: vec![remote], value: Arc::new(id) });
    }

    #[test]
    fn the_longest_prefix_wins_then_the_port_then_the_newest() {
        let mut spd = Spd::default();
        add(&mut spd, 1, any4(), any4());
        add(&mut spd, 2, any4(), sel(0, (0, 65535), "10.1.0.0", "10.1.255.255"));
        add(&mut spd, 3, any4(), sel(17, (2123, 2123), "10.1.0.0", "10.1.255.255"));
        add(&mut spd, 4, any4(), sel(0, (0, 65535), "10.1.0.0", "10.1.255.255"));
        let find = |spd: &Spd<Arc<u64>>, d, p, ports| spd.find(&flow("192.0.2.1", d, p, ports)).as_deref().copied();
        assert_eq!(find(&spd, "10.1.2.3", 17, Some((5, 2123))), Some(3));
        assert_eq!(find(&spd, "10.1.2.3", 6, Some((5, 2123))), Some(4));
        assert_eq!(find(&spd, "10.2.2.3", 6, Some((5, 2123))), Some(1));
        spd.remove(4);
        assert_eq!(find(&spd, "10.1.2.3", 50, None), Some(2));
        spd.remove(1);
        assert_eq!(find(&spd, "10.2.2.3", 50, None), None);
        assert_eq!(spd.len(), 2);
    }

    #[test]
    fn a_range_is_checked_to_its_ends() {
        let mut spd = Spd::default();
        add(&mut spd, 1, any4(), sel(0, (0, 65535), "10.0.0.5", "10.0.0.9"));
        for (d, found) in [("10.0.0.4", false), ("10.0.0.5", true), ("10.0.0.9", true), ("10.0.0.10", false)] {
            assert_eq!(spd.find(&flow("1.1.1.1", d, 6, Some((1, 1)))).is_some(), found, "{d}");
        }
    }

    #[test]
    fn families_do_not_mix() {
        let mut spd = Spd::default();
        let any6 = sel(0, (0, 65535), "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
        spd.insert(1, &Entry { local: vec![any4(), any6], remote: vec![any6], value: Arc::new(1) });
        assert!(spd.find(&flow("1.1.1.1", "2.2.2.2", 6, None)).is_none());
        assert!(spd.find(&flow("fd00::1", "fd00::2", 6, None)).is_some());
        spd.remove(1);
        assert!(spd.is_empty() && spd.v4.is_empty() && spd.v6.is_empty());
    }

    fn address() -> impl Strategy<Value = u8> {
        0u8..16
    }

    proptest! {
        /// Against a slow model: some entry is found exactly when a linear search finds one, and it matches.
        #[test]
        fn agrees_with_a_linear_search(
            entries in prop::collection::vec((address(), address(), address(), address(), 0u8..3), 0..20),
            gone in prop::collection::vec(0u64..20, 0..6),
            flows in prop::collection::vec((address(), address(), 0u8..3), 1..30),
        ) {
            let ip = |n: u8| format!("10.0.0.{n}");
            let (mut spd, mut model) = (Spd::default(), Vec::new());
            for (id, (a, b, c, d, protocol)) in entries.into_iter().enumerate() {
                let local = sel(protocol, (0, 65535), &ip(a.min(b)), &ip(a.max(b)));
                let remote = sel(protocol, (0, 65535), &ip(c.min(d)), &ip(c.max(d)));
                add(&mut spd, id as u64, local, remote);
                model.push((id as u64, local, remote));
            }
            for id in gone { spd.remove(id); model.retain(|entry| entry.0 != id); }
            prop_assert_eq!(spd.len(), model.len());
            for (s, d, protocol) in flows {
                let flow = flow(&ip(s), &ip(d), protocol, None);
                let good: Vec<u64> = model.iter()
                    .filter(|(_, l, r)| l.matches(flow.source, protocol, None) && r.matches(flow.destination, protocol, None))
                    .map(|entry| entry.0).collect();
                match spd.find(&flow) {
                    None => prop_assert!(good.is_empty()),
                    Some(id) => prop_assert!(good.contains(&id)),
                }
            }
        }
    }
}
