//! A small name server for one domain: where its controllers are, as a test says it (RFC 1035, RFC 2782).

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// What the server knows.
#[derive(Debug, Clone, Default)]
struct Zone {
    services: Vec<Service>,
    hosts: Vec<(String, Ipv4Addr)>,
    mood: Mood,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Mood {
    #[default]
    Answering,
    /// Questions are read and nothing comes back.
    Silent,
}

/// One SRV record.
#[derive(Debug, Clone)]
struct Service {
    name: String,
    priority: u16,
    weight: u16,
    port: u16,
    host: String,
}

/// The running server; it ends when this is dropped.
#[derive(Debug)]
pub struct Dns {
    address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Dns {
    pub fn start() -> io::Result<Self> {
        Self::serve_on(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?)
    }

    /// On the port where machines look, at a loopback address of its own; needs root.
    pub fn start_on_port_53() -> io::Result<Self> {
        let tried = (10..250).find_map(|last| UdpSocket::bind((Ipv4Addr::new(127, 0, 53, last), 53)).ok());
        Self::serve_on(tried.ok_or(io::ErrorKind::AddrNotAvailable)?)
    }

    fn serve_on(socket: UdpSocket) -> io::Result<Self> {
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        let address = socket.local_addr()?;
        let (zone, is_over) = (Arc::<Mutex<Zone>>::default(), Arc::<AtomicBool>::default());
        let (answers_from, told_over) = (Arc::clone(&zone), Arc::clone(&is_over));
        let thread = std::thread::spawn(move || serve(&socket, &answers_from, &told_over));
        Ok(Self { address, zone, is_over, thread: Some(thread) })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lists a domain controller, as a domain controller lists itself: with the port of plain LDAP.
    pub fn add_controller(&self, domain: &str, host: &str, address: Ipv4Addr, priority: u16, weight: u16) {
        let mut zone = self.zone();
        let name = format!("_ldap._tcp.dc._msdcs.{domain}");
        zone.services.push(Service { name, priority, weight, port: 389, host: host.to_owned() });
        zone.hosts.push((host.to_owned(), address));
    }

    /// From now on nobody gets an answer.
    pub fn fall_silent(&self) {
        self.zone().mood = Mood::Silent;
    }

    fn zone(&self) -> MutexGuard<'_, Zone> {
        self.zone.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(socket: &UdpSocket, zone: &Mutex<Zone>, is_over: &AtomicBool) {
    let mut buffer = [0; 1_500];
    while !is_over.load(Ordering::Relaxed) {
        let Ok((length, client)) = socket.recv_from(&mut buffer) else { continue };
        let zone = zone.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if zone.mood == Mood::Answering
            && let Some(answer) = answer(&zone, &buffer[..length])
        {
            let _ = socket.send_to(&answer, client);
        }
    }
}

const A: u16 = 1;
const SRV: u16 = 33;
const IN: [u8; 2] = [0, 1];
const TTL: [u8; 4] = [0, 0, 0, 60];
/// A pointer to the question's name, which always stands behind the twelve bytes of the header.
const SAME_NAME: [u8; 2] = [0xc0, 12];

/// Answers one question; `None` for what is none.
fn answer(zone: &Zone, question: &[u8]) -> Option<Vec<u8>> {
    let (name, end) = read_name(question.get(12..)?)?;
    let kind = u16::from_be_bytes(question.get(12 + end..14 + end)?.try_into().ok()?);
    let records = records(zone, &name, kind);
    let is_known = zone.services.iter().map(|service| &service.name).chain(zone.hosts.iter().map(|(host, _)| host));
    let code = if is_known.into_iter().any(|known| known.eq_ignore_ascii_case(&name)) { 0 } else { 3 };
    let (count, beside) = (u16::try_from(records.len()).ok()?, addresses(zone, &name, kind));
    let mut answer = question.get(..2)?.to_vec();
    // A final answer of the one who knows; recursion was wished and is at hand.
    answer.extend_from_slice(&[0x85, 0x80 | code, 0, 1]);
    answer.extend_from_slice(&count.to_be_bytes());
    answer.extend_from_slice(&[0; 2]);
    answer.extend_from_slice(&u16::try_from(beside.len()).ok()?.to_be_bytes());
    answer.extend_from_slice(question.get(12..16 + end)?);
    for record in records {
        answer.extend_from_slice(&SAME_NAME);
        answer.extend_from_slice(&kind.to_be_bytes());
        answer.extend_from_slice(&IN);
        answer.extend_from_slice(&TTL);
        answer.extend_from_slice(&u16::try_from(record.len()).ok()?.to_be_bytes());
        answer.extend_from_slice(&record);
    }
    answer.extend(beside.concat());
    Some(answer)
}

/// Where the listed hosts are: sent along unasked, as a domain controller's own name server does (RFC 2782).
fn addresses(zone: &Zone, name: &str, kind: u16) -> Vec<Vec<u8>> {
    let listed = zone.services.iter().filter(|service| kind == SRV && service.name.eq_ignore_ascii_case(name));
    let hosts = listed.flat_map(|service| zone.hosts.iter().filter(|(host, _)| *host == service.host));
    hosts
        .map(|(host, address)| {
            let head = [write_name(host), A.to_be_bytes().to_vec(), IN.to_vec(), TTL.to_vec()].concat();
            [head, 4_u16.to_be_bytes().to_vec(), address.octets().to_vec()].concat()
        })
        .collect()
}

fn records(zone: &Zone, name: &str, kind: u16) -> Vec<Vec<u8>> {
    match kind {
        A => {
            let hosts = zone.hosts.iter().filter(|(host, _)| host.eq_ignore_ascii_case(name));
            hosts.map(|(_, address)| address.octets().to_vec()).collect()
        }
        SRV => {
            let services = zone.services.iter().filter(|service| service.name.eq_ignore_ascii_case(name));
            services.map(service_record).collect()
        }
        _ => Vec::new(),
    }
}

fn service_record(service: &Service) -> Vec<u8> {
    let numbers = [service.priority, service.weight, service.port].into_iter().flat_map(u16::to_be_bytes);
    numbers.chain(write_name(&service.host)).collect()
}

/// The name in dots, and how many bytes it took.
fn read_name(bytes: &[u8]) -> Option<(String, usize)> {
    let (mut labels, mut at) = (Vec::new(), 0);
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        labels.push(String::from_utf8_lossy(bytes.get(at..at + length)?).into_owned());
        at += length;
    }
}

fn write_name(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap_or(63));
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_was_written() {
        let bytes = write_name("dc1.lab.example");

        assert_eq!(read_name(&bytes), Some(("dc1.lab.example".to_owned(), bytes.len())));
        assert_eq!(read_name(&bytes[..3]), None);
    }
}
