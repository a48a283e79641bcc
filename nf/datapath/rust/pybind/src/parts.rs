//! Parts of the packet path one by one, so that Python tests can hold them to models and oracles.

use crate::datapath::{SelectorTuple, selectors};
use crate::error::Error;
use esp::{OpenError, Suite};
use lookup::{Entry, Flow, Spd};
use pyo3::prelude::*;
use std::sync::{Arc, Mutex, PoisonError};

#[pyclass(frozen, module = "nf.datapath._rust")]
pub struct EspOutbound {
    inner: esp::Outbound,
}

#[pymethods]
impl EspOutbound {
    #[new]
    #[pyo3(signature = (spi, encr, key_bits, integ, encr_key, integ_key, esn))]
    fn new(
        spi: u32,
        encr: u16,
        key_bits: u16,
        integ: u16,
        encr_key: &[u8],
        integ_key: &[u8],
        esn: bool,
    ) -> Result<Self, Error> {
        let suite = Suite::new(encr, key_bits, integ, encr_key, integ_key)?;
        Ok(Self { inner: esp::Outbound::new(spi, esn, suite, 1) })
    }

    #[pyo3(signature = (sequence, next_header, payload, iv))]
    fn seal(&self, sequence: u64, next_header: u8, payload: &[u8], iv: &[u8]) -> Result<Vec<u8>, Error> {
        let mut buf = vec![0; self.inner.sealed_octets(payload.len())];
        let start = self.inner.prefix_octets();
        buf.get_mut(start..start + payload.len()).ok_or_else(|| Error::new("no room"))?.copy_from_slice(payload);
        let sealed = self.inner.seal_with_iv(sequence, next_header, &mut buf, payload.len(), iv);
        let octets = sealed.map_err(|_| Error::new("the IV does not fit the transform"))?;
        buf.truncate(octets);
        Ok(buf)
    }

    fn payload_room(&self, octets: usize) -> usize {
        self.inner.payload_room(octets)
    }
}

#[pyclass(frozen, module = "nf.datapath._rust")]
pub struct EspInbound {
    inner: esp::Inbound,
}

#[pymethods]
impl EspInbound {
    #[new]
    #[pyo3(signature = (encr, key_bits, integ, encr_key, integ_key, esn, replay_window))]
    fn new(
        encr: u16,
        key_bits: u16,
        integ: u16,
        encr_key: &[u8],
        integ_key: &[u8],
        esn: bool,
        replay_window: u32,
    ) -> Result<Self, Error> {
        let suite = Suite::new(encr, key_bits, integ, encr_key, integ_key)?;
        let inner = esp::Inbound::new(esn, suite, replay_window).ok_or_else(|| Error::new("bad window"))?;
        Ok(Self { inner })
    }

    /// (payload, next header, sequence), or the name of the reason for none.
    fn open(&self, packet: &[u8]) -> Result<(Vec<u8>, u8, u64), Error> {
        let mut packet = packet.to_vec();
        let opened = self.inner.open(&mut packet).map_err(|error| {
            Error::new(match error {
                OpenError::Malformed => "malformed",
                OpenError::Replay => "replay",
                OpenError::Integrity => "integrity",
            })
        })?;
        let payload = packet.get(opened.payload).unwrap_or_default().to_vec();
        Ok((payload, opened.next_header, opened.sequence))
    }
}

#[pyclass(frozen, module = "nf.datapath._rust")]
pub struct ReplayWindow {
    inner: Mutex<esp::ReplayWindow>,
}

#[pymethods]
impl ReplayWindow {
    #[new]
    #[pyo3(signature = (size, esn))]
    fn new(size: u32, esn: bool) -> Result<Self, Error> {
        let inner = esp::ReplayWindow::new(size, esn).ok_or_else(|| Error::new("bad window"))?;
        Ok(Self { inner: Mutex::new(inner) })
    }

    /// The full number, or None when it cannot be one.
    fn infer(&self, low: u32) -> Option<u64> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).infer(low).ok()
    }

    fn check(&self, sequence: u64) -> bool {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).check(sequence).is_ok()
    }

    fn accept(&self, sequence: u64) -> bool {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).accept(sequence).is_ok()
    }
}

#[pyclass(frozen, module = "nf.datapath._rust")]
pub struct SpdTable {
    inner: Mutex<Spd<Arc<u64>>>,
}

#[pymethods]
impl SpdTable {
    #[new]
    fn new() -> Self {
        Self { inner: Mutex::default() }
    }

    fn insert(&self, id: u64, local_ts: Vec<SelectorTuple>, remote_ts: Vec<SelectorTuple>) -> Result<(), Error> {
        let entry = Entry { local: selectors(local_ts)?, remote: selectors(remote_ts)?, value: Arc::new(id) };
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).insert(id, &entry);
        Ok(())
    }

    fn remove(&self, id: u64) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// The id of the entry for an inner packet; None for none, or when it is no IP packet. `rounds` looks it up so often.
    #[pyo3(signature = (packet, rounds = 1))]
    fn find(&self, py: Python<'_>, packet: &[u8], rounds: u32) -> Option<u64> {
        let flow = Flow::parse(packet).ok()?;
        py.detach(|| {
            let spd = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            let mut found = None;
            for _ in 0..rounds {
                found = spd.find(std::hint::black_box(&flow));
            }
            found.map(|id| *id)
        })
    }
}

/// The inner packet after decapsulation; None when the outer class ends it.
#[pyfunction]
#[pyo3(signature = (packet, outer_class))]
pub fn decapsulate(packet: &[u8], outer_class: u8) -> Option<Vec<u8>> {
    let mut packet = packet.to_vec();
    inner::decapsulate(&mut packet, outer_class).ok().map(|()| packet)
}
