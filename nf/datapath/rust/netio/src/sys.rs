//! System calls. Every unsafe block of the workspace is here.

use crate::{Message, ReceiveBatch, Received, Refused, SLOT_OCTETS, Sent};
use libc::{c_int, c_void, cmsghdr, iovec, mmsghdr, msghdr, sockaddr_in, sockaddr_in6, sockaddr_storage, socklen_t};
use std::io::{self, IoSlice};
use std::mem::{MaybeUninit, size_of, zeroed};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

const UDP_SEGMENT: c_int = 103;
const UDP_GRO: c_int = 104;
const TUNGETIFF: u64 = 0x8004_54d2;
const TUNSETOFFLOAD: u64 = 0x4004_54d0;
const IFF_VNET_HDR: i16 = 0x4000;
const TUN_F_CSUM: u64 = 0x01;
const TUN_F_TSO4: u64 = 0x02;
const TUN_F_TSO6: u64 = 0x04;
const TUN_F_USO4: u64 = 0x20;
const TUN_F_USO6: u64 = 0x40;

/// Messages to one recvmmsg or sendmmsg call.
pub(crate) const BATCH: usize = 16;
const CONTROL_OCTETS: usize = 64;
/// How long a full send buffer is waited for, before packets are dropped.
const SEND_WAIT_MS: c_int = 20;

fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn check_len(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

pub(crate) fn duplicate(fd: c_int) -> io::Result<OwnedFd> {
    // SAFETY: fcntl takes any integer as a descriptor; a new one is ours alone.
    let new = check(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 3) })?;
    // SAFETY: `new` was just made and has no other owner.
    Ok(unsafe { OwnedFd::from_raw_fd(new) })
}

pub(crate) fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the descriptor is open while it is borrowed.
    let flags = check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) })?;
    // SAFETY: as above.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) })?;
    Ok(())
}

pub(crate) fn read(fd: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the pointer and length are those of a live, writable slice.
    check_len(unsafe { libc::read(fd.as_raw_fd(), buf.as_mut_ptr().cast(), buf.len()) })
}

pub(crate) fn write_parts(fd: BorrowedFd<'_>, parts: &[IoSlice<'_>]) -> io::Result<usize> {
    // SAFETY: IoSlice is ABI compatible with iovec, and the slices live through the call.
    check_len(unsafe { libc::writev(fd.as_raw_fd(), parts.as_ptr().cast(), parts.len().min(1024) as c_int) })
}

pub(crate) fn eventfd() -> io::Result<OwnedFd> {
    // SAFETY: no pointers; a new descriptor is ours alone.
    let fd = check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
    // SAFETY: `fd` was just made and has no other owner.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

pub(crate) fn epoll_create() -> io::Result<OwnedFd> {
    // SAFETY: no pointers; a new descriptor is ours alone.
    let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
    // SAFETY: `fd` was just made and has no other owner.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

pub(crate) fn epoll_add(epoll: BorrowedFd<'_>, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
    let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: token };
    // SAFETY: `event` lives through the call, which copies it.
    check(unsafe { libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, fd.as_raw_fd(), &mut event) })?;
    Ok(())
}

pub(crate) fn epoll_remove(epoll: BorrowedFd<'_>, fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the event pointer may be null for EPOLL_CTL_DEL.
    check(unsafe { libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_DEL, fd.as_raw_fd(), std::ptr::null_mut()) })?;
    Ok(())
}

pub(crate) fn epoll_wait(epoll: BorrowedFd<'_>, tokens: &mut Vec<u64>) -> io::Result<()> {
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; 64];
    tokens.clear();
    // SAFETY: the array has room for as many events as are asked for.
    let ready = check(unsafe { libc::epoll_wait(epoll.as_raw_fd(), events.as_mut_ptr(), events.len() as c_int, -1) });
    match ready {
        Ok(count) => {
            tokens.extend(events.iter().take(count as usize).map(|event| event.u64));
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
        Err(error) => Err(error),
    }
}

fn set_option(fd: BorrowedFd<'_>, level: c_int, name: c_int, value: c_int) -> io::Result<()> {
    // SAFETY: the option value is a live c_int of the stated size.
    check(unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            level,
            name,
            (&raw const value).cast::<c_void>(),
            size_of::<c_int>() as socklen_t,
        )
    })?;
    Ok(())
}

/// Ask for large socket buffers, beyond the system's limit where that is allowed.
pub(crate) fn set_buffers(fd: BorrowedFd<'_>, octets: c_int) {
    for (forced, plain) in [(libc::SO_RCVBUFFORCE, libc::SO_RCVBUF), (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF)] {
        if set_option(fd, libc::SOL_SOCKET, forced, octets).is_err() {
            let _ = set_option(fd, libc::SOL_SOCKET, plain, octets); // smaller buffers only lose more in a burst
        }
    }
}

/// Whether what is sent must stay whole: with DF (IPv4), and refused when it is larger than its path. Otherwise the
/// kernel fragments it, without DF.
pub(crate) fn set_whole(fd: BorrowedFd<'_>, v6: bool, whole: bool) -> io::Result<()> {
    if v6 {
        let value = if whole { libc::IPV6_PMTUDISC_DO } else { libc::IPV6_PMTUDISC_DONT };
        set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, value)
    } else {
        let value = if whole { libc::IP_PMTUDISC_DO } else { libc::IP_PMTUDISC_DONT };
        set_option(fd, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, value)
    }
}

/// Ask for the TOS octet or traffic class of what is received.
pub(crate) fn receive_class(fd: BorrowedFd<'_>, v6: bool) -> io::Result<()> {
    if v6 {
        set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS, 1)
    } else {
        set_option(fd, libc::IPPROTO_IP, libc::IP_RECVTOS, 1)
    }
}

/// Whether errors of this socket are queued, with their details. Off also forgets what is queued.
pub(crate) fn queue_errors(fd: BorrowedFd<'_>, v6: bool, on: bool) -> io::Result<()> {
    if v6 {
        set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVERR, on.into())
    } else {
        set_option(fd, libc::IPPROTO_IP, libc::IP_RECVERR, on.into())
    }
}

/// The path MTU in the newest queued error, if that is what it is about.
pub(crate) fn queued_mtu(fd: BorrowedFd<'_>) -> Option<usize> {
    // SAFETY: all zeros is a valid msghdr.
    let mut header: msghdr = unsafe { zeroed() };
    let mut control = [Control([0; CONTROL_OCTETS]); 4];
    let mut mtu = None;
    loop {
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = std::mem::size_of_val(&control) as _;
        // SAFETY: no name and no data are asked for; the control buffer lives through the call and is as long as stated.
        let got = unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut header, libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT) };
        if got < 0 {
            return mtu;
        }
        each_control(&header, |level, kind, data| {
            let is_error = (level, kind) == (libc::IPPROTO_IP, libc::IP_RECVERR)
                || (level, kind) == (libc::IPPROTO_IPV6, libc::IPV6_RECVERR);
            // struct sock_extended_err: errno, four octets, then what the error is about
            if let (true, Some(&[a, b, c, d, _, _, _, _, e, f, g, h])) = (is_error, data.first_chunk::<12>()) {
                if u32::from_ne_bytes([a, b, c, d]) == libc::EMSGSIZE as u32 {
                    mtu = usize::try_from(u32::from_ne_bytes([e, f, g, h])).ok();
                }
            }
        });
    }
}

pub(crate) fn set_udp_gro(fd: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    set_option(fd, libc::IPPROTO_UDP, UDP_GRO, c_int::from(on))
}

/// The address a socket is bound to.
pub(crate) fn local_address(fd: BorrowedFd<'_>) -> io::Result<SocketAddr> {
    // SAFETY: all zeros is a valid sockaddr_storage.
    let mut storage: sockaddr_storage = unsafe { zeroed() };
    let mut octets = size_of::<sockaddr_storage>() as socklen_t;
    // SAFETY: the storage has as many octets as stated.
    check(unsafe { libc::getsockname(fd.as_raw_fd(), (&raw mut storage).cast(), &mut octets) })?;
    from_storage(&storage).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))
}

/// Whether a TUN's packets have a virtio-net header; false for what is no TUN.
pub(crate) fn tun_has_header(fd: BorrowedFd<'_>) -> bool {
    // SAFETY: all zeros is a valid ifreq.
    let mut request: libc::ifreq = unsafe { zeroed() };
    // SAFETY: TUNGETIFF fills in an ifreq, which is what the pointer is to.
    if unsafe { libc::ioctl(fd.as_raw_fd(), TUNGETIFF as _, &raw mut request) } < 0 {
        return false;
    }
    // SAFETY: TUNGETIFF answers with the flags in the union.
    unsafe { request.ifr_ifru.ifru_flags & IFF_VNET_HDR != 0 }
}

/// Say which super-packets we take; as much as the kernel knows. True when UDP is among them (Linux 6.2).
pub(crate) fn tun_set_offload(fd: BorrowedFd<'_>, on: bool) -> io::Result<bool> {
    let (tcp, udp) = (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6, TUN_F_USO4 | TUN_F_USO6);
    let choices = if on { [tcp | udp, tcp, 0] } else { [0; 3] };
    let mut result = Ok(false);
    for flags in choices {
        // SAFETY: TUNSETOFFLOAD takes its argument by value.
        let set = check(unsafe { libc::ioctl(fd.as_raw_fd(), TUNSETOFFLOAD as _, flags) });
        result = set.map(|_| flags & udp != 0);
        if result.is_ok() {
            break;
        }
    }
    result
}

fn from_storage(storage: &sockaddr_storage) -> Option<SocketAddr> {
    match c_int::from(storage.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says that this is a sockaddr_in, which is smaller than the storage.
            let v4 = unsafe { &*(&raw const *storage).cast::<sockaddr_in>() };
            let address = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            Some(SocketAddr::V4(SocketAddrV4::new(address, u16::from_be(v4.sin_port))))
        }
        libc::AF_INET6 => {
            // SAFETY: the family says that this is a sockaddr_in6, which is smaller than the storage.
            let v6 = unsafe { &*(&raw const *storage).cast::<sockaddr_in6>() };
            let address = Ipv6Addr::from(v6.sin6_addr.s6_addr);
            Some(SocketAddr::V6(SocketAddrV6::new(address, u16::from_be(v6.sin6_port), 0, v6.sin6_scope_id)))
        }
        _ => None,
    }
}

fn to_storage(address: &SocketAddr) -> (sockaddr_storage, socklen_t) {
    // SAFETY: all zeros is a valid sockaddr_storage.
    let mut storage: sockaddr_storage = unsafe { zeroed() };
    match address {
        SocketAddr::V4(v4) => {
            // SAFETY: sockaddr_in is smaller than the storage and has no stricter alignment.
            let to = unsafe { &mut *(&raw mut storage).cast::<sockaddr_in>() };
            to.sin_family = libc::AF_INET as _;
            to.sin_port = v4.port().to_be();
            to.sin_addr.s_addr = u32::from(*v4.ip()).to_be();
            (storage, size_of::<sockaddr_in>() as socklen_t)
        }
        SocketAddr::V6(v6) => {
            // SAFETY: sockaddr_in6 is smaller than the storage and has no stricter alignment.
            let to = unsafe { &mut *(&raw mut storage).cast::<sockaddr_in6>() };
            to.sin6_family = libc::AF_INET6 as _;
            to.sin6_port = v6.port().to_be();
            to.sin6_addr.s6_addr = v6.ip().octets();
            to.sin6_scope_id = v6.scope_id();
            (storage, size_of::<sockaddr_in6>() as socklen_t)
        }
    }
}

/// One control message, aligned as the kernel wants it.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; CONTROL_OCTETS]);

/// recvmmsg into the slots of a batch.
pub(crate) fn receive(fd: BorrowedFd<'_>, batch: &mut ReceiveBatch) -> io::Result<()> {
    batch.received.clear();
    let count = batch.slots.min(BATCH).min(batch.buf.len() / SLOT_OCTETS);
    // SAFETY: all zeros is a valid value of each of these C structures.
    let (mut names, mut vectors, mut headers): ([sockaddr_storage; BATCH], [iovec; BATCH], [mmsghdr; BATCH]) =
        unsafe { zeroed() };
    let mut controls = [Control([0; CONTROL_OCTETS]); BATCH];
    for (index, slot) in batch.buf.chunks_exact_mut(SLOT_OCTETS).take(count).enumerate() {
        vectors[index] = iovec { iov_base: slot.as_mut_ptr().cast(), iov_len: slot.len() };
        let header = &mut headers[index].msg_hdr;
        header.msg_name = (&raw mut names[index]).cast();
        header.msg_namelen = size_of::<sockaddr_storage>() as socklen_t;
        header.msg_iov = &raw mut vectors[index];
        header.msg_iovlen = 1;
        header.msg_control = controls[index].0.as_mut_ptr().cast();
        header.msg_controllen = CONTROL_OCTETS as _;
    }
    // SAFETY: every header points to buffers that live through the call and are as long as stated.
    let got = check(unsafe {
        libc::recvmmsg(
            fd.as_raw_fd(),
            headers.as_mut_ptr(),
            count as u32,
            libc::MSG_DONTWAIT as _,
            std::ptr::null_mut(),
        )
    })? as usize;
    for (index, header) in headers.iter().enumerate().take(got) {
        let (Some(from), octets) = (from_storage(&names[index]), header.msg_len as usize) else { continue };
        let (segment, class) = described(&header.msg_hdr);
        let segment = segment.unwrap_or(octets).min(octets);
        if octets > 0 && segment > 0 && header.msg_hdr.msg_flags & libc::MSG_TRUNC == 0 {
            let start = index * SLOT_OCTETS;
            batch.received.push(Received { place: start..start + octets, segment, from, class });
        }
    }
    Ok(())
}

/// The segment size of UDP_GRO, and the TOS octet or traffic class, as control messages tell them.
fn described(header: &msghdr) -> (Option<usize>, u8) {
    let (mut segment, mut class) = (None, 0);
    each_control(header, |level, kind, data| match (level, kind, data) {
        (libc::IPPROTO_UDP, UDP_GRO, &[a, b, c, d, ..]) => {
            segment = usize::try_from(c_int::from_ne_bytes([a, b, c, d])).ok();
        }
        (libc::IPPROTO_IP, libc::IP_TOS, &[tos, ..]) => class = tos,
        (libc::IPPROTO_IPV6, libc::IPV6_TCLASS, &[a, b, c, d, ..]) => class = c_int::from_ne_bytes([a, b, c, d]) as u8,
        _ => {}
    });
    (segment, class)
}

/// Look at each control message of a header that the kernel filled in: level, type, data.
fn each_control(header: &msghdr, mut look: impl FnMut(c_int, c_int, &[u8])) {
    // SAFETY: the header was filled in by the kernel: its control buffer is valid for msg_controllen octets.
    let mut control: *const cmsghdr = unsafe { libc::CMSG_FIRSTHDR(header) };
    while !control.is_null() {
        // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR give null or a whole header inside the control buffer.
        let head = unsafe { &*control };
        // SAFETY: CMSG_LEN only computes.
        let octets = (head.cmsg_len as usize).saturating_sub(unsafe { libc::CMSG_LEN(0) } as usize);
        // SAFETY: the kernel wrote cmsg_len octets, header included, and truncates at the end of the control buffer.
        let data = unsafe { std::slice::from_raw_parts(libc::CMSG_DATA(control), octets) };
        look(head.cmsg_level, head.cmsg_type, data);
        // SAFETY: as for CMSG_FIRSTHDR.
        control = unsafe { libc::CMSG_NXTHDR(header, control) };
    }
}

/// sendmmsg of all messages. A message that the kernel refuses as a whole because of its segments is sent packet by packet.
pub(crate) fn send(fd: BorrowedFd<'_>, arena: &[u8], messages: &[Message], ports: bool, result: &mut Sent) {
    for chunk in messages.chunks(BATCH) {
        send_chunk(fd, arena, chunk, ports, result);
    }
}

fn send_chunk(fd: BorrowedFd<'_>, arena: &[u8], messages: &[Message], ports: bool, result: &mut Sent) {
    // SAFETY: all zeros is a valid value of each of these C structures.
    let (mut names, mut vectors, mut headers): ([sockaddr_storage; BATCH], [iovec; BATCH], [mmsghdr; BATCH]) =
        unsafe { zeroed() };
    let mut controls: [MaybeUninit<Control>; BATCH] = [const { MaybeUninit::uninit() }; BATCH];
    let mut places = [0usize; BATCH];
    let mut count = 0;
    for (index, message) in messages.iter().enumerate().take(BATCH) {
        let Some(octets) = arena.get(message.place.clone()) else {
            result.failed += message.packets();
            continue;
        };
        let mut to = message.to;
        if !ports {
            to.set_port(0); // of a raw socket it would be a protocol
        }
        let (name, name_octets) = to_storage(&to);
        names[count] = name;
        vectors[count] = iovec { iov_base: octets.as_ptr().cast_mut().cast(), iov_len: octets.len() };
        let header = &mut headers[count].msg_hdr;
        header.msg_name = (&raw mut names[count]).cast();
        header.msg_namelen = name_octets;
        header.msg_iov = &raw mut vectors[count];
        header.msg_iovlen = 1;
        if message.packets() > 1 || message.class != 0 {
            let control = controls[count].write(Control([0; CONTROL_OCTETS]));
            header.msg_control = control.0.as_mut_ptr().cast();
            header.msg_controllen = CONTROL_OCTETS as _; // for CMSG_NXTHDR; the true length follows
            let v6 = message.to.is_ipv6();
            // SAFETY: CMSG_SPACE and CMSG_LEN only compute. The control buffer is zeroed and aligned, and has room for two
            // headers with an int each (48 of CONTROL_OCTETS), so that neither pointer is null nor leaves it.
            unsafe {
                let (mut used, mut head) = (0, libc::CMSG_FIRSTHDR(header));
                if message.packets() > 1 {
                    (*head).cmsg_level = libc::IPPROTO_UDP;
                    (*head).cmsg_type = UDP_SEGMENT;
                    (*head).cmsg_len = libc::CMSG_LEN(2) as _;
                    libc::CMSG_DATA(head).cast::<u16>().write_unaligned(message.segment as u16);
                    used += libc::CMSG_SPACE(2);
                    head = libc::CMSG_NXTHDR(header, head);
                }
                if message.class != 0 {
                    (*head).cmsg_level = if v6 { libc::IPPROTO_IPV6 } else { libc::IPPROTO_IP };
                    (*head).cmsg_type = if v6 { libc::IPV6_TCLASS } else { libc::IP_TOS };
                    (*head).cmsg_len = libc::CMSG_LEN(size_of::<c_int>() as u32) as _;
                    libc::CMSG_DATA(head).cast::<c_int>().write_unaligned(c_int::from(message.class));
                    used += libc::CMSG_SPACE(size_of::<c_int>() as u32);
                }
                header.msg_controllen = used as _;
            }
        }
        places[count] = index;
        count += 1;
    }
    let (mut next, mut waited, mut again) = (0, false, false);
    while next < count {
        // SAFETY: headers next..count point to names, vectors, controls and octets that live through the call.
        let sent = check(unsafe {
            libc::sendmmsg(
                fd.as_raw_fd(),
                headers[next..count].as_mut_ptr(),
                (count - next) as u32,
                libc::MSG_DONTWAIT as _,
            )
        });
        match sent {
            Ok(sent) => {
                for place in &places[next..count.min(next + sent as usize)] {
                    result.sent += messages[*place].packets();
                }
                next += sent as usize;
                again = false;
            }
            Err(error) => {
                let message = &messages[places[next]];
                match error.raw_os_error() {
                    Some(libc::EAGAIN) if !waited => {
                        waited = true; // once a call: a worker has other things to do than to wait
                        wait_writable(fd);
                        continue;
                    }
                    Some(libc::ECONNREFUSED | libc::EINTR) if !again => {
                        again = true; // an ICMP error for an earlier packet: said once, it is gone
                        continue;
                    }
                    Some(libc::EINVAL | libc::EIO | libc::EMSGSIZE) if message.packets() > 1 => {
                        send_singly(fd, arena, message, ports, result);
                    }
                    Some(libc::EMSGSIZE) => {
                        result.too_big += message.packets();
                        if message.whole {
                            result.refused.retain(|refused| refused.to != message.to);
                            let refused = Refused { to: message.to, mtu: 0, place: message.place.clone() };
                            result.refused.push(refused);
                        }
                    }
                    _ => result.failed += message.packets(),
                }
                next += 1;
                again = false;
            }
        }
    }
}

fn send_singly(fd: BorrowedFd<'_>, arena: &[u8], message: &Message, ports: bool, result: &mut Sent) {
    let singles: Vec<Message> = message
        .place
        .clone()
        .step_by(message.segment.max(1))
        .map(|start| {
            let end = message.place.end.min(start + message.segment);
            Message { place: start..end, segment: 0, ..message.clone() }
        })
        .collect();
    for chunk in singles.chunks(BATCH) {
        send_chunk(fd, arena, chunk, ports, result);
    }
}

fn wait_writable(fd: BorrowedFd<'_>) {
    let mut poll = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
    // SAFETY: one pollfd, which lives through the call.
    unsafe { libc::poll(&raw mut poll, 1, SEND_WAIT_MS) };
}

/// A pair of joined datagram sockets, for dummies.
pub(crate) fn socket_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds = [0; 2];
    // SAFETY: the array has room for the two descriptors.
    check(unsafe {
        libc::socketpair(
            libc::AF_UNIX,
            libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK,
            0,
            fds.as_mut_ptr(),
        )
    })?;
    // SAFETY: both were just made and have no other owner.
    Ok(unsafe { (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])) })
}
