//! A context: one routing domain with its TUN, its sockets and its SPD.

use crate::sa::OutboundSa;
use crate::sync::{read, write};
use lookup::{Entry, Flow, Selector, Spd};
use netio::{Device, Transport};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

/// The queues of a TUN.
pub(crate) struct TunSet {
    pub(crate) queues: Vec<Arc<dyn Device>>,
    pub(crate) mtu: usize,
    /// Merge packets into super-packets on the way in.
    pub(crate) merge: bool,
}

/// A socket that packets leave by.
pub(crate) struct Port {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) local: SocketAddr,
    pub(crate) encapsulated: bool,
}

/// An SA with the selectors it was installed with, so that it can come back when a newer one goes.
struct Candidate {
    sa: Arc<OutboundSa>,
    entry: Entry<Arc<OutboundSa>>,
}

#[derive(Default)]
struct Policies {
    spd: Spd<Arc<OutboundSa>>,
    /// Outbound SAs of each policy, oldest first; the SPD has the last.
    candidates: HashMap<u64, Vec<Candidate>>,
}

/// One context. Its generation grows with every change that could send a packet another way, so that workers may keep what
/// they looked up last.
#[derive(Default)]
pub(crate) struct Context {
    pub(crate) index: u32,
    policies: RwLock<Policies>,
    tun: RwLock<Option<Arc<TunSet>>>,
    ports: RwLock<HashMap<(IpAddr, bool), Arc<Port>>>,
    generation: AtomicU64,
}

impl Context {
    pub(crate) fn new(index: u32) -> Self {
        Self { index, ..Self::default() }
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(crate) fn touch(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Put an outbound SA in force for its policy, at once.
    pub(crate) fn adopt(&self, sa: Arc<OutboundSa>, local: Vec<Selector>, remote: Vec<Selector>) {
        let mut policies = write(&self.policies);
        let candidate = Candidate { entry: Entry { local, remote, value: sa.clone() }, sa };
        policies.spd.insert(candidate.sa.policy_id, &candidate.entry);
        policies.candidates.entry(candidate.sa.policy_id).or_default().push(candidate);
        drop(policies);
        self.touch();
    }

    /// Take an outbound SA away; the one installed before it is in force again, if it is still there.
    pub(crate) fn drop_sa(&self, sa: &Arc<OutboundSa>) {
        let mut guard = write(&self.policies);
        let policies = &mut *guard;
        if let Some(candidates) = policies.candidates.get_mut(&sa.policy_id) {
            candidates.retain(|candidate| !Arc::ptr_eq(&candidate.sa, sa));
            match candidates.last() {
                Some(last) => policies.spd.insert(sa.policy_id, &last.entry),
                None => {
                    policies.spd.remove(sa.policy_id);
                    policies.candidates.remove(&sa.policy_id);
                }
            }
        }
        drop(guard);
        self.touch();
    }

    pub(crate) fn find(&self, flow: &Flow) -> Option<Arc<OutboundSa>> {
        read(&self.policies).spd.find(flow)
    }

    pub(crate) fn tun(&self) -> Option<Arc<TunSet>> {
        read(&self.tun).clone()
    }

    /// False when there is a TUN already.
    pub(crate) fn set_tun(&self, tun: Arc<TunSet>) -> bool {
        let mut place = write(&self.tun);
        let free = place.is_none();
        if free {
            *place = Some(tun);
            self.touch();
        }
        free
    }

    pub(crate) fn take_tun(&self) {
        write(&self.tun).take();
        self.touch();
    }

    pub(crate) fn port(&self, local: IpAddr, encapsulated: bool) -> Option<Arc<Port>> {
        read(&self.ports).get(&(local, encapsulated)).cloned()
    }

    /// False when the address has a socket of this kind already.
    pub(crate) fn add_port(&self, port: Arc<Port>) -> bool {
        let mut ports = write(&self.ports);
        let key = (port.local.ip(), port.encapsulated);
        let free = !ports.contains_key(&key);
        if free {
            ports.insert(key, port);
            self.touch();
        }
        free
    }

    pub(crate) fn remove_port(&self, local: IpAddr, encapsulated: bool) {
        write(&self.ports).remove(&(local, encapsulated));
        self.touch();
    }

    pub(crate) fn remove_ports(&self) {
        write(&self.ports).clear();
        self.touch();
    }
}
