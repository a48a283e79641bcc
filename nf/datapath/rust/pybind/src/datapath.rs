//! The data path: plain values in, plain values out.

use crate::error::Error;
use lookup::Selector;
use pipeline::{Direction, DontFragment, EventKind, Lifetime, SaConfig, Sizes};
use pyo3::prelude::*;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// (protocol, first port, last port, first address, last address)
pub type SelectorTuple = (u8, u16, u16, String, String);
/// (soft s, hard s, soft octets, hard octets, soft packets, hard packets)
type LifetimeTuple = (Option<f64>, Option<f64>, Option<u64>, Option<u64>, Option<u64>, Option<u64>);
type EventTuple = (&'static str, u64, String, u16);
type SaCounterTuple = (u64, u64, u64, u64, u64, u64, Option<f64>);
type CounterTuple = (u64, u64, u64, u64, Vec<(String, u64)>, usize);
type IkeTuple = (u32, String, u16, String, u16, Vec<u8>);

pub fn selectors(from: Vec<SelectorTuple>) -> Result<Vec<Selector>, Error> {
    from.into_iter()
        .map(|(protocol, first_port, last_port, first, last)| {
            Ok(Selector::new(protocol, first_port, last_port, first.parse()?, last.parse()?)?)
        })
        .collect()
}

fn seconds(from: Option<f64>) -> Result<Option<Duration>, Error> {
    Ok(from.map(Duration::try_from_secs_f64).transpose()?)
}

fn duplicate(fd: i32) -> Result<std::os::fd::OwnedFd, Error> {
    netio::duplicate(fd).map_err(|error| Error::new(format!("descriptor {fd}: {error}")))
}

#[pyclass(frozen, module = "nf.datapath._rust")]
pub struct DataPath {
    inner: pipeline::DataPath,
}

#[pymethods]
impl DataPath {
    #[new]
    #[pyo3(signature = (threads, offload))]
    fn new(threads: usize, offload: bool) -> Result<Self, Error> {
        Ok(Self { inner: pipeline::DataPath::new(threads, offload)? })
    }

    #[pyo3(signature = (*, sa_id, outbound, context_index, spi, policy_id, local, remote, encap_remote_port, encr, key_bits,
                        integ, encr_key, integ_key, local_ts, remote_ts, esn, replay_window, lifetime, mtu, first_sequence,
                        dont_fragment="copy-bit", pre_fragment=0, count_udp_header=false))]
    #[expect(clippy::too_many_arguments, reason = "one SA, field by field; all are named on the Python side")]
    fn install_sa(
        &self,
        py: Python<'_>,
        sa_id: u64,
        outbound: bool,
        context_index: u32,
        spi: u32,
        policy_id: u64,
        local: &str,
        remote: &str,
        encap_remote_port: u16,
        encr: u16,
        key_bits: u16,
        integ: u16,
        encr_key: &[u8],
        integ_key: &[u8],
        local_ts: Vec<SelectorTuple>,
        remote_ts: Vec<SelectorTuple>,
        esn: bool,
        replay_window: u32,
        lifetime: LifetimeTuple,
        mtu: usize,
        first_sequence: u64,
        dont_fragment: &str,
        pre_fragment: u16,
        count_udp_header: bool,
    ) -> Result<(), Error> {
        let (soft_time, hard_time, soft_octets, hard_octets, soft_packets, hard_packets) = lifetime;
        let dont_fragment = match dont_fragment {
            "clear-bit" => DontFragment::Clear,
            "copy-bit" => DontFragment::Copy,
            "set-bit" => DontFragment::Set,
            other => return Err(Error::new(format!("{other} is no way to treat the DF bit"))),
        };
        let config = SaConfig {
            id: sa_id,
            direction: if outbound { Direction::Outbound } else { Direction::Inbound },
            context: context_index,
            spi,
            policy_id,
            local: local.parse()?,
            remote: SocketAddr::new(remote.parse()?, encap_remote_port),
            encapsulated: encap_remote_port != 0,
            encr,
            key_bits,
            integ,
            encr_key,
            integ_key,
            local_ts: selectors(local_ts)?,
            remote_ts: selectors(remote_ts)?,
            esn,
            replay_window,
            lifetime: Lifetime {
                soft_time: seconds(soft_time)?,
                hard_time: seconds(hard_time)?,
                soft_octets,
                hard_octets,
                soft_packets,
                hard_packets,
            },
            sizes: Sizes { mtu, pre_fragment: pre_fragment.into(), count_udp_header, dont_fragment },
            first_sequence,
        };
        Ok(py.detach(|| self.inner.install(config))?)
    }

    fn remove_sa(&self, py: Python<'_>, sa_id: u64) -> Result<(), Error> {
        Ok(py.detach(|| self.inner.remove(sa_id))?)
    }

    fn update_sa_path(
        &self,
        py: Python<'_>,
        sa_id: u64,
        local: &str,
        remote: &str,
        encap_remote_port: u16,
    ) -> Result<(), Error> {
        let (local, remote): (IpAddr, IpAddr) = (local.parse()?, remote.parse()?);
        let remote = SocketAddr::new(remote, encap_remote_port);
        Ok(py.detach(|| self.inner.update_path(sa_id, local, remote, encap_remote_port != 0))?)
    }

    fn poll_events(&self, py: Python<'_>) -> Result<Vec<EventTuple>, Error> {
        let events = py.detach(|| self.inner.events())?;
        Ok(events
            .into_iter()
            .map(|event| match event.kind {
                EventKind::SoftExpired => ("soft-expired", event.sa_id, String::new(), 0),
                EventKind::HardExpired => ("hard-expired", event.sa_id, String::new(), 0),
                EventKind::FirstPacket => ("first-packet", event.sa_id, String::new(), 0),
                EventKind::SequenceExhausted => ("sequence-exhausted", event.sa_id, String::new(), 0),
                EventKind::PeerMoved(to) => ("peer-moved", event.sa_id, to.ip().to_string(), to.port()),
            })
            .collect())
    }

    #[pyo3(signature = (sa_ids))]
    fn sa_counters(&self, py: Python<'_>, sa_ids: Option<Vec<u64>>) -> Result<Vec<SaCounterTuple>, Error> {
        let counters = py.detach(|| self.inner.sa_counters(sa_ids.as_deref()))?;
        Ok(counters
            .into_iter()
            .map(|c| {
                let ago = c.last_used_ago.map(|ago| ago.as_secs_f64());
                (c.id, c.packets, c.octets, c.replay_drops, c.integrity_failures, c.sequence, ago)
            })
            .collect())
    }

    fn counters(&self, py: Python<'_>) -> Result<CounterTuple, Error> {
        let c = py.detach(|| self.inner.counters())?;
        let drops = c
            .drops
            .into_iter()
            .map(|(direction, reason, count)| (format!("{}.{}", direction.name(), reason.name()), count))
            .collect();
        Ok((c.inbound.0, c.inbound.1, c.outbound.0, c.outbound.1, drops, c.sas))
    }

    fn add_tun(&self, py: Python<'_>, context_index: u32, fds: Vec<i32>, mtu: usize) -> Result<(), Error> {
        let queues = fds.into_iter().map(duplicate).collect::<Result<_, _>>()?;
        Ok(py.detach(|| self.inner.add_tun(context_index, queues, mtu))?)
    }

    fn remove_context(&self, py: Python<'_>, context_index: u32) -> Result<(), Error> {
        Ok(py.detach(|| self.inner.remove_context(context_index))?)
    }

    fn add_udp(&self, py: Python<'_>, context_index: u32, local_address: &str, fd: i32) -> Result<(), Error> {
        let (local, fd) = (local_address.parse()?, duplicate(fd)?);
        Ok(py.detach(|| self.inner.add_udp(context_index, local, fd))?)
    }

    fn add_raw(&self, py: Python<'_>, context_index: u32, local_address: &str, fd: i32) -> Result<(), Error> {
        let (local, fd) = (local_address.parse()?, duplicate(fd)?);
        Ok(py.detach(|| self.inner.add_raw(context_index, local, fd))?)
    }

    fn remove_transport(
        &self,
        py: Python<'_>,
        context_index: u32,
        local_address: &str,
        encapsulated: bool,
    ) -> Result<(), Error> {
        let local = local_address.parse()?;
        Ok(py.detach(|| self.inner.remove_transport(context_index, local, encapsulated))?)
    }

    fn event_fd(&self) -> Result<i32, Error> {
        Ok(self.inner.event_fd()?)
    }

    fn foreign_ike(&self, py: Python<'_>) -> Result<Vec<IkeTuple>, Error> {
        let datagrams = py.detach(|| self.inner.foreign_ike())?;
        Ok(datagrams
            .into_iter()
            .map(|d| {
                let (local, from) = (d.local.to_string(), d.from.ip().to_string());
                (d.context, local, d.local_port, from, d.from.port(), d.data)
            })
            .collect())
    }

    fn stop(&self, py: Python<'_>) {
        py.detach(|| self.inner.stop());
    }
}
