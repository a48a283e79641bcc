//! The face of the data path: SAs and devices in, events and counters out.

use crate::context::{Context, Port, TunSet};
use crate::events::{Event, Events, ForeignIke};
use crate::inbound::{InboundWork, SharedSad};
use crate::outbound::OutboundWork;
use crate::sa::{Common, InboundSa, Lifetime, OutboundSa, Path, Sizes};
use crate::sync::{lock, read, write};
use crate::timer::{HasCommon, Timer};
use crate::totals::{Direction, Reason, Totals};
use crate::worker::{Source, Worker};
use esp::{Suite, SuiteError};
use lookup::{Entry, Selector};
use netio::{Device, RawEsp, Transport, Tun, Udp};
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Why an operation was refused.
#[derive(Debug)]
pub enum Error {
    /// The data path was stopped.
    Stopped,
    /// An SA has this id already.
    IdTaken(u64),
    /// An inbound SA has this SPI already.
    SpiTaken(u32),
    /// SPI 0 never goes on the wire (RFC 4303 section 2.1).
    BadSpi,
    /// The window size is neither 0 nor in 32..=512.
    BadWindow(u32),
    /// The transforms or keys make no suite.
    Suite(SuiteError),
    /// Outer addresses of two families.
    MixedFamilies,
    /// No SA has this id.
    UnknownSa(u64),
    /// The context has a TUN, or the address has a socket, already.
    DeviceTaken(String),
    /// A TUN without queues.
    NoQueues,
    /// A system call failed.
    Io(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => write!(f, "the data path is stopped"),
            Self::IdTaken(id) => write!(f, "SA id {id} is taken"),
            Self::SpiTaken(spi) => write!(f, "inbound SPI {spi:08x} is taken"),
            Self::BadSpi => write!(f, "SPI 0 is reserved"),
            Self::BadWindow(size) => write!(f, "a replay window of {size} packets is neither 0 nor in 32..512"),
            Self::Suite(error) => error.fmt(f),
            Self::MixedFamilies => write!(f, "outer addresses are of two families"),
            Self::UnknownSa(id) => write!(f, "no SA has the id {id}"),
            Self::DeviceTaken(what) => write!(f, "{what} is there already"),
            Self::NoQueues => write!(f, "a TUN needs at least one queue"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<SuiteError> for Error {
    fn from(error: SuiteError) -> Self {
        Self::Suite(error)
    }
}

/// An SA to install.
pub struct SaConfig<'a> {
    /// Its id in the gateway.
    pub id: u64,
    /// Which way it works.
    pub direction: Direction,
    /// Its context.
    pub context: u32,
    /// Its SPI.
    pub spi: u32,
    /// The Child SA across rekeys.
    pub policy_id: u64,
    /// Our outer address.
    pub local: IpAddr,
    /// The peer's outer address, with the encapsulation's port or 0.
    pub remote: SocketAddr,
    /// UDP-encapsulated.
    pub encapsulated: bool,
    /// Encryption transform ID.
    pub encr: u16,
    /// Its key length.
    pub key_bits: u16,
    /// Integrity transform ID.
    pub integ: u16,
    /// Its key, with the salt.
    pub encr_key: &'a [u8],
    /// Its key.
    pub integ_key: &'a [u8],
    /// What our side may be.
    pub local_ts: Vec<Selector>,
    /// What the peer's side may be.
    pub remote_ts: Vec<Selector>,
    /// Extended sequence numbers.
    pub esn: bool,
    /// Packets; 0 is off.
    pub replay_window: u32,
    /// When it ends.
    pub lifetime: Lifetime,
    /// Of inner and outer packets.
    pub sizes: Sizes,
    /// The first outbound sequence number.
    pub first_sequence: u64,
}

/// Counters of one SA.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SaSnapshot {
    /// Whose they are.
    pub id: u64,
    /// Carried.
    pub packets: u64,
    /// Inner octets.
    pub octets: u64,
    /// Refused by the window.
    pub replay_drops: u64,
    /// Refused by the ICV.
    pub integrity_failures: u64,
    /// The highest sequence number sent or accepted.
    pub sequence: u64,
    /// Since the last packet.
    pub last_used_ago: Option<Duration>,
}

/// Totals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Packets and inner octets, inbound.
    pub inbound: (u64, u64),
    /// Packets and inner octets, outbound.
    pub outbound: (u64, u64),
    /// Every direction and reason, with its packets.
    pub drops: Vec<(Direction, Reason, u64)>,
    /// Installed now.
    pub sas: usize,
}

#[derive(Clone)]
enum AnySa {
    In(Arc<InboundSa>),
    Out(Arc<OutboundSa>),
}

impl AnySa {
    fn common(&self) -> &Common {
        match self {
            Self::In(sa) => &sa.common,
            Self::Out(sa) => &sa.common,
        }
    }

    fn timed(&self) -> Arc<dyn HasCommon> {
        match self {
            Self::In(sa) => sa.clone(),
            Self::Out(sa) => sa.clone(),
        }
    }

    fn snapshot(&self, now: Instant) -> SaSnapshot {
        let common = self.common();
        let sequence = match self {
            Self::In(sa) => sa.esp.sequence(),
            Self::Out(sa) => sa.esp.sequence(),
        };
        SaSnapshot {
            id: common.id,
            packets: common.packets.load(Ordering::Relaxed),
            octets: common.octets.load(Ordering::Relaxed),
            replay_drops: common.replay_drops.load(Ordering::Relaxed),
            integrity_failures: common.integrity_failures.load(Ordering::Relaxed),
            sequence,
            last_used_ago: common.last_used_ago(now),
        }
    }
}

/// The software data path. All calls may come from any thread and return quickly.
pub struct DataPath {
    offload: bool,
    stopped: AtomicBool,
    totals: Arc<Totals>,
    events: Arc<Events>,
    sad: Arc<SharedSad>,
    timer: Arc<Timer>,
    timer_thread: Mutex<Option<JoinHandle<()>>>,
    outbound: Vec<Worker>,
    inbound: Vec<Worker>,
    contexts: RwLock<HashMap<u32, Arc<Context>>>,
    sas: Mutex<HashMap<u64, AnySa>>,
}

impl DataPath {
    /// Start the threads: `threads` for each direction, 0 is one a core.
    pub fn new(threads: usize, offload: bool) -> Result<Self, Error> {
        let threads = match threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            n => n,
        };
        let (totals, events) = (Arc::new(Totals::default()), Arc::new(Events::new()?));
        let (sad, timer) = (Arc::new(SharedSad::default()), Arc::new(Timer::default()));
        let outbound = (0..threads)
            .map(|index| Worker::outbound(index, &totals, OutboundWork::new(totals.clone(), events.clone())))
            .collect::<io::Result<_>>()?;
        let inbound = (0..threads)
            .map(|index| {
                let work = InboundWork::new(index, totals.clone(), events.clone(), sad.clone());
                Worker::inbound(index, &totals, work)
            })
            .collect::<io::Result<_>>()?;
        let timer_thread = std::thread::Builder::new().name("esp-timer".into()).spawn({
            let (timer, events) = (timer.clone(), events.clone());
            move || timer.run(&events)
        })?;
        Ok(Self {
            offload,
            stopped: AtomicBool::new(false),
            totals,
            events,
            sad,
            timer,
            timer_thread: Mutex::new(Some(timer_thread)),
            outbound,
            inbound,
            contexts: RwLock::default(),
            sas: Mutex::default(),
        })
    }

    fn check_running(&self) -> Result<(), Error> {
        if self.stopped.load(Ordering::Acquire) { Err(Error::Stopped) } else { Ok(()) }
    }

    fn context(&self, index: u32) -> Arc<Context> {
        if let Some(context) = read(&self.contexts).get(&index) {
            return context.clone();
        }
        write(&self.contexts).entry(index).or_insert_with(|| Arc::new(Context::new(index))).clone()
    }

    fn known_context(&self, index: u32) -> Option<Arc<Context>> {
        read(&self.contexts).get(&index).cloned()
    }

    /// Put an SA in force.
    pub fn install(&self, config: SaConfig<'_>) -> Result<(), Error> {
        self.check_running()?;
        if config.spi == 0 {
            return Err(Error::BadSpi);
        }
        if config.local.is_ipv6() != config.remote.is_ipv6() {
            return Err(Error::MixedFamilies);
        }
        let suite = Suite::new(config.encr, config.key_bits, config.integ, config.encr_key, config.integ_key)?;
        let common = Common::new(config.id, config.context, config.lifetime);
        let mut sas = lock(&self.sas);
        if sas.contains_key(&config.id) {
            return Err(Error::IdTaken(config.id));
        }
        let sa = match config.direction {
            Direction::Inbound => {
                let esp = esp::Inbound::new(config.esn, suite, config.replay_window)
                    .ok_or(Error::BadWindow(config.replay_window))?;
                let selectors = Entry { local: config.local_ts, remote: config.remote_ts, value: () };
                let peer = config.encapsulated.then_some(config.remote);
                let sa = Arc::new(InboundSa::new(common, config.spi, esp, selectors, peer));
                if !self.sad.table.insert(config.context, config.spi, sa.clone()) {
                    return Err(Error::SpiTaken(config.spi));
                }
                self.sad.generation.fetch_add(1, Ordering::AcqRel);
                AnySa::In(sa)
            }
            Direction::Outbound => {
                let esp = esp::Outbound::new(config.spi, config.esn, suite, config.first_sequence);
                let path = Path { local: config.local, to: config.remote, encapsulated: config.encapsulated };
                let sa = Arc::new(OutboundSa::new(common, config.policy_id, esp, config.sizes, path));
                self.context(config.context).adopt(sa.clone(), config.local_ts, config.remote_ts);
                AnySa::Out(sa)
            }
        };
        self.timer.add(&sa.timed());
        sas.insert(config.id, sa);
        Ok(())
    }

    /// Take an SA away; an unknown id is not an error.
    pub fn remove(&self, id: u64) -> Result<(), Error> {
        self.check_running()?;
        let removed = lock(&self.sas).remove(&id);
        if let Some(sa) = removed {
            self.retire(&sa);
            self.forget();
        }
        Ok(())
    }

    fn retire(&self, sa: &AnySa) {
        self.timer.remove(sa.common());
        match sa {
            AnySa::In(sa) => {
                self.sad.table.remove(sa.common.context, sa.spi);
                self.sad.generation.fetch_add(1, Ordering::AcqRel);
            }
            AnySa::Out(sa) => {
                if let Some(context) = self.known_context(sa.common.context) {
                    context.drop_sa(sa);
                }
            }
        }
    }

    /// Make workers drop the SAs they found last, so that keys go when their SA does.
    fn forget(&self) {
        for worker in self.outbound.iter().chain(&self.inbound) {
            worker.forget();
        }
    }

    /// Give an SA other outer addresses.
    pub fn update_path(&self, id: u64, local: IpAddr, remote: SocketAddr, encapsulated: bool) -> Result<(), Error> {
        self.check_running()?;
        if local.is_ipv6() != remote.is_ipv6() {
            return Err(Error::MixedFamilies);
        }
        match lock(&self.sas).get(&id) {
            None => return Err(Error::UnknownSa(id)),
            Some(AnySa::In(sa)) => sa.set_peer(encapsulated.then_some(remote)),
            Some(AnySa::Out(sa)) => {
                sa.set_path(Path { local, to: remote, encapsulated });
                self.context(sa.common.context).touch();
            }
        }
        Ok(())
    }

    /// Events since the last call.
    pub fn events(&self) -> Result<Vec<Event>, Error> {
        self.check_running()?;
        Ok(self.events.take_events())
    }

    /// IKE since the last call.
    pub fn foreign_ike(&self) -> Result<Vec<ForeignIke>, Error> {
        self.check_running()?;
        Ok(self.events.take_ike())
    }

    /// Readable while `events` or `foreign_ike` have something.
    pub fn event_fd(&self) -> Result<i32, Error> {
        self.check_running()?;
        Ok(self.events.fd())
    }

    /// Counters of the named SAs, unknown ones left out, or of all.
    pub fn sa_counters(&self, ids: Option<&[u64]>) -> Result<Vec<SaSnapshot>, Error> {
        self.check_running()?;
        let now = Instant::now();
        let sas = lock(&self.sas);
        Ok(match ids {
            None => sas.values().map(|sa| sa.snapshot(now)).collect(),
            Some(ids) => ids.iter().filter_map(|id| sas.get(id)).map(|sa| sa.snapshot(now)).collect(),
        })
    }

    /// Totals.
    pub fn counters(&self) -> Result<Snapshot, Error> {
        self.check_running()?;
        let drops = Direction::ALL
            .into_iter()
            .flat_map(|direction| Reason::ALL.into_iter().map(move |reason| (direction, reason)))
            .map(|(direction, reason)| (direction, reason, self.totals.drops(direction, reason)))
            .collect();
        Ok(Snapshot {
            inbound: self.totals.read(Direction::Inbound),
            outbound: self.totals.read(Direction::Outbound),
            drops,
            sas: lock(&self.sas).len(),
        })
    }

    /// Give a context its TUN, one descriptor a queue.
    pub fn add_tun(&self, context: u32, queues: Vec<OwnedFd>, mtu: usize) -> Result<(), Error> {
        let devices = queues
            .into_iter()
            .map(|fd| Ok(Arc::new(Tun::new(fd, self.offload)?) as Arc<dyn Device>))
            .collect::<io::Result<Vec<_>>>()?;
        self.add_devices(context, devices, mtu)
    }

    /// As `add_tun`, with devices of any kind.
    pub fn add_devices(&self, context: u32, queues: Vec<Arc<dyn Device>>, mtu: usize) -> Result<(), Error> {
        self.check_running()?;
        if queues.is_empty() {
            return Err(Error::NoQueues);
        }
        let shared = self.context(context);
        let tun = Arc::new(TunSet { queues: queues.clone(), mtu, merge: self.offload });
        if !shared.set_tun(tun.clone()) {
            return Err(Error::DeviceTaken(format!("the TUN of context {context}")));
        }
        let alone = queues.len() == 1;
        for device in queues {
            let source = Source::Queue { context: shared.clone(), device, mtu: tun.mtu, alone };
            if let Err(error) = least_loaded(&self.outbound).map_or(Ok(()), |worker| worker.watch(source)) {
                self.remove_tun(&shared);
                return Err(error.into());
            }
        }
        Ok(())
    }

    fn remove_tun(&self, context: &Context) {
        context.take_tun();
        for worker in &self.outbound {
            worker.unwatch(|source| source.context().index == context.index);
        }
    }

    /// Take a context's TUN, sockets and SAs away.
    pub fn remove_context(&self, index: u32) -> Result<(), Error> {
        self.check_running()?;
        let Some(context) = self.known_context(index) else { return Ok(()) };
        let gone: Vec<AnySa> = {
            let mut sas = lock(&self.sas);
            let ids: Vec<u64> = sas.iter().filter(|(_, sa)| sa.common().context == index).map(|(id, _)| *id).collect();
            ids.iter().filter_map(|id| sas.remove(id)).collect()
        };
        for sa in &gone {
            self.retire(sa);
        }
        self.remove_tun(&context);
        context.remove_ports();
        for worker in &self.inbound {
            worker.unwatch(|source| source.context().index == index);
        }
        write(&self.contexts).remove(&index);
        Ok(())
    }

    /// A UDP socket for encapsulated ESP of one local address.
    pub fn add_udp(&self, context: u32, local: IpAddr, fd: OwnedFd) -> Result<(), Error> {
        let udp = Udp::new(fd, self.offload)?;
        let local = SocketAddr::new(local, udp.local().port());
        self.add_transport(context, local, true, Arc::new(udp))
    }

    /// A raw socket for native ESP of one local address.
    pub fn add_raw(&self, context: u32, local: IpAddr, fd: OwnedFd) -> Result<(), Error> {
        let raw = RawEsp::new(fd, local.is_ipv6())?;
        self.add_transport(context, SocketAddr::new(local, 0), false, Arc::new(raw))
    }

    /// As `add_udp` and `add_raw`, with a transport of any kind.
    pub fn add_transport(
        &self,
        context: u32,
        local: SocketAddr,
        encapsulated: bool,
        transport: Arc<dyn Transport>,
    ) -> Result<(), Error> {
        self.check_running()?;
        let shared = self.context(context);
        let port = Arc::new(Port { transport, local, encapsulated });
        if !shared.add_port(port.clone()) {
            let kind = if encapsulated { "UDP" } else { "raw" };
            return Err(Error::DeviceTaken(format!("the {kind} socket of {}", local.ip())));
        }
        let source = Source::Socket { context: shared.clone(), port };
        if let Err(error) = least_loaded(&self.inbound).map_or(Ok(()), |worker| worker.watch(source)) {
            shared.remove_port(local.ip(), encapsulated);
            return Err(error.into());
        }
        Ok(())
    }

    /// Take a socket away; an unknown one is not an error.
    pub fn remove_transport(&self, context: u32, local: IpAddr, encapsulated: bool) -> Result<(), Error> {
        self.check_running()?;
        let Some(shared) = self.known_context(context) else { return Ok(()) };
        let Some(port) = shared.port(local, encapsulated) else { return Ok(()) };
        shared.remove_port(local, encapsulated);
        for worker in &self.inbound {
            worker.unwatch(|source| source.is_port(&port));
        }
        self.forget();
        Ok(())
    }

    /// End the threads and forget everything. A second call does nothing.
    pub fn stop(&self) {
        if self.stopped.swap(true, Ordering::AcqRel) {
            return;
        }
        for worker in self.outbound.iter().chain(&self.inbound) {
            worker.ask_to_stop();
        }
        self.timer.stop();
        for worker in self.outbound.iter().chain(&self.inbound) {
            worker.join();
        }
        if let Some(thread) = lock(&self.timer_thread).take() {
            let _ = thread.join();
        }
        let gone: Vec<AnySa> = lock(&self.sas).drain().map(|(_, sa)| sa).collect();
        for sa in &gone {
            self.retire(sa);
        }
        write(&self.contexts).clear();
    }
}

impl Drop for DataPath {
    fn drop(&mut self) {
        self.stop();
    }
}

fn least_loaded(workers: &[Worker]) -> Option<&Worker> {
    workers.iter().min_by_key(|worker| worker.load())
}
