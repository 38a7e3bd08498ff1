//! Kerberos through `libgssapi_krb5`: one owner of each of its objects, each given back exactly once.

#![expect(unsafe_code, reason = "calls a C library; every block says why it is sound")]

mod library;
mod status;

use std::ffi::{CString, c_int, c_void};
use std::ptr::{null, null_mut};

use super::kerberos::{
    Damage, Granted, Handshake, Identity, KerberosFault, Purpose, Request, Sealing, SecurityContext, Service, Step,
    Tickets,
};
use library::{Buffer, ChannelBindings, Functions, Handle, KeyValue, KeyValueSet, Oid, OidSet};

/// 1.2.840.113554.1.2.2: Kerberos itself and nothing that could be negotiated down to something weaker.
const KERBEROS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02];
/// 1.2.840.113554.1.2.2.1: a principal as written. A "host based service" would be looked up in DNS first.
const PRINCIPAL_NAME: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02, 0x01];

const MUTUAL: u32 = 2;
const REPLAY: u32 = 4;
const SEQUENCE: u32 = 8;
const CONFIDENTIALITY: u32 = 16;
const INTEGRITY: u32 = 32;

const INITIATE: c_int = 1;
const CONTINUE_NEEDED: u32 = 1;
const NO_LIFETIME_WISH: u32 = 0;
const DEFAULT_PROTECTION: u32 = 0;

/// Tickets that came from a keytab live here, in this process alone.
const OWN_CACHE: &str = "MEMORY:rollcall-agent";

/// A security context and what it was made with.
pub struct Context {
    library: &'static Functions,
    credentials: Owned,
    target: Owned,
    context: Handle,
    service: Service,
    wanted: u32,
    granted: u32,
    binding: Option<Vec<u8>>,
}

// SAFETY: the handles are used by whoever owns the `Context` and by nobody else; MIT Kerberos keeps no state of a
// context, name or credential in the thread that made it.
unsafe impl Send for Context {}

impl Context {
    pub fn open(request: &Request) -> Result<Self, KerberosFault> {
        let library = library::functions()?;
        let (wanted, binding) = match &request.purpose {
            Purpose::Sealing => (MUTUAL | REPLAY | SEQUENCE | CONFIDENTIALITY | INTEGRITY, None),
            // Active Directory refuses a layer inside TLS, and takes these two flags for a wish for one.
            Purpose::InsideTls { binding } => (MUTUAL | INTEGRITY, binding.clone()),
        };
        Ok(Self {
            library,
            credentials: credentials(library, &request.identity, &request.service)?,
            target: name(library, &request.service.principal(), &request.service)?,
            context: null_mut(),
            service: request.service.clone(),
            wanted,
            granted: 0,
            binding,
        })
    }

    fn has(&self, flag: u32) -> bool {
        self.granted & flag != 0
    }
}

impl SecurityContext for Context {
    fn step(&mut self, received: &[u8]) -> Result<Step, KerberosFault> {
        let mut minor = 0;
        let mechanism = oid(KERBEROS);
        let input = borrowed(received);
        let mut output = Given::new(self.library);
        let bindings = self.binding.as_deref().map(channel_bindings);
        let bindings = bindings.as_ref().map_or(null(), std::ptr::from_ref);
        // SAFETY: every pointer is to a live local or field; the handles are ours or null; the library fills `output`,
        // which is given back when it is dropped.
        let major = unsafe {
            (self.library.init_sec_context)(
                &raw mut minor,
                self.credentials.handle,
                &raw mut self.context,
                self.target.handle,
                &raw const mechanism,
                self.wanted,
                NO_LIFETIME_WISH,
                bindings,
                &raw const input,
                null_mut(),
                output.as_mut(),
                &raw mut self.granted,
                null_mut(),
            )
        };
        if status::is_error(major) {
            return Err(status::handshake_fault("getting a ticket for the directory", major, minor, &self.service));
        }
        let handshake = if major & CONTINUE_NEEDED == 0 { Handshake::Established } else { Handshake::Continues };
        Ok(Step { send: output.to_vec(), handshake })
    }

    fn granted(&self) -> Granted {
        Granted {
            mutual: self.has(MUTUAL),
            integrity: self.has(INTEGRITY),
            confidentiality: self.has(CONFIDENTIALITY),
            sequence: self.has(SEQUENCE),
            replay: self.has(REPLAY),
        }
    }

    fn wrap(&mut self, plain: &[u8], sealing: Sealing) -> Result<Vec<u8>, KerberosFault> {
        let (mut minor, mut encrypted) = (0, 0);
        let input = borrowed(plain);
        let mut output = Given::new(self.library);
        // SAFETY: as in `step`; the context is established, which the library checks itself.
        let major = unsafe {
            (self.library.wrap)(
                &raw mut minor,
                self.context,
                wish(sealing),
                DEFAULT_PROTECTION,
                &raw const input,
                &raw mut encrypted,
                output.as_mut(),
            )
        };
        if status::is_error(major) {
            return Err(status::handshake_fault("sealing", major, minor, &self.service));
        }
        match (sealing, encrypted) {
            (Sealing::Sealed, 0) => Err(KerberosFault::Disturbed(Damage::Unsealed)),
            (Sealing::Sealed | Sealing::SignedOnly, _) => Ok(output.to_vec()),
        }
    }

    fn unwrap(&mut self, wrapped: &[u8]) -> Result<(Vec<u8>, Sealing), KerberosFault> {
        let (mut minor, mut encrypted) = (0, 0);
        let input = borrowed(wrapped);
        let mut output = Given::new(self.library);
        // SAFETY: as in `wrap`.
        let major = unsafe {
            (self.library.unwrap)(
                &raw mut minor,
                self.context,
                &raw const input,
                output.as_mut(),
                &raw mut encrypted,
                null_mut(),
            )
        };
        if major != 0 {
            return Err(status::unwrap_fault(major));
        }
        let sealing = if encrypted == 0 { Sealing::SignedOnly } else { Sealing::Sealed };
        Ok((output.to_vec(), sealing))
    }

    fn largest_plain(&mut self, largest_wrapped: u32) -> Result<usize, KerberosFault> {
        let (mut minor, mut largest) = (0, 0);
        // SAFETY: as in `wrap`.
        let major = unsafe {
            (self.library.wrap_size_limit)(
                &raw mut minor,
                self.context,
                wish(Sealing::Sealed),
                DEFAULT_PROTECTION,
                largest_wrapped,
                &raw mut largest,
            )
        };
        if status::is_error(major) {
            return Err(status::handshake_fault("agreeing on sizes", major, minor, &self.service));
        }
        Ok(usize::try_from(largest).unwrap_or(0))
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        let mut minor = 0;
        // SAFETY: the context is ours or null, which the library accepts; it is not used after this.
        unsafe { (self.library.delete_sec_context)(&raw mut minor, &raw mut self.context, null_mut()) };
    }
}

fn wish(sealing: Sealing) -> c_int {
    match sealing {
        Sealing::Sealed => 1,
        Sealing::SignedOnly => 0,
    }
}

/// A name or a credential of the library, given back when dropped.
struct Owned {
    handle: Handle,
    give_back: unsafe extern "C" fn(*mut u32, *mut Handle) -> u32,
}

impl Drop for Owned {
    fn drop(&mut self) {
        let mut minor = 0;
        // SAFETY: the handle came from the function that `give_back` belongs to, or is null, which it accepts.
        unsafe { (self.give_back)(&raw mut minor, &raw mut self.handle) };
    }
}

/// A buffer that the library allocates, given back when dropped.
struct Given {
    library: &'static Functions,
    buffer: Buffer,
}

impl Given {
    fn new(library: &'static Functions) -> Self {
        Self { library, buffer: Buffer { length: 0, value: null_mut() } }
    }

    fn as_mut(&mut self) -> *mut Buffer {
        &raw mut self.buffer
    }

    fn to_vec(&self) -> Vec<u8> {
        if self.buffer.value.is_null() {
            return Vec::new();
        }
        // SAFETY: the library says that `length` bytes lie at `value`, and they stay until the buffer is given back.
        unsafe { std::slice::from_raw_parts(self.buffer.value.cast(), self.buffer.length) }.to_vec()
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        let mut minor = 0;
        // SAFETY: filled by the library or still empty; it accepts both and empties it.
        unsafe { (self.library.release_buffer)(&raw mut minor, &raw mut self.buffer) };
    }
}

/// The library only reads through buffers that are handed in.
fn borrowed(bytes: &[u8]) -> Buffer {
    Buffer { length: bytes.len(), value: bytes.as_ptr().cast::<c_void>().cast_mut() }
}

fn oid(bytes: &'static [u8]) -> Oid {
    Oid { length: u32::try_from(bytes.len()).unwrap_or(0), elements: bytes.as_ptr().cast() }
}

fn channel_bindings(data: &[u8]) -> ChannelBindings {
    ChannelBindings {
        initiator_address_type: 0,
        initiator_address: borrowed(&[]),
        acceptor_address_type: 0,
        acceptor_address: borrowed(&[]),
        application_data: borrowed(data),
    }
}

fn name(library: &'static Functions, principal: &str, service: &Service) -> Result<Owned, KerberosFault> {
    let mut minor = 0;
    let mut owned = Owned { handle: null_mut(), give_back: library.release_name };
    let (text, kind) = (borrowed(principal.as_bytes()), oid(PRINCIPAL_NAME));
    // SAFETY: all pointers are to live locals; the library copies what it keeps.
    let major =
        unsafe { (library.import_name)(&raw mut minor, &raw const text, &raw const kind, &raw mut owned.handle) };
    if status::is_error(major) {
        return Err(status::handshake_fault("reading a principal's name", major, minor, service));
    }
    Ok(owned)
}

/// What the cred store is told (`gss_acquire_cred_from`): which cache, and which keytab fills it.
fn store(tickets: &Tickets) -> Vec<(&'static str, String)> {
    match tickets {
        Tickets::OwnAccount => Vec::new(),
        Tickets::Keytab(file) => {
            vec![("client_keytab", format!("FILE:{}", file.display())), ("ccache", OWN_CACHE.to_owned())]
        }
        Tickets::Cache(cache) => vec![("ccache", cache.clone())],
    }
}

fn credentials(library: &'static Functions, identity: &Identity, service: &Service) -> Result<Owned, KerberosFault> {
    let mut minor = 0;
    let nobody = Owned { handle: null_mut(), give_back: library.release_name };
    let who = match &identity.principal {
        Some(principal) => name(library, principal, service)?,
        None => nobody,
    };
    let told: Vec<(CString, CString)> = store(&identity.tickets)
        .into_iter()
        .filter_map(|(key, value)| Some((CString::new(key).ok()?, CString::new(value).ok()?)))
        .collect();
    let pairs: Vec<KeyValue> =
        told.iter().map(|(key, value)| KeyValue { key: key.as_ptr(), value: value.as_ptr() }).collect();
    let store = KeyValueSet { count: u32::try_from(pairs.len()).unwrap_or(0), elements: pairs.as_ptr() };
    let kerberos = oid(KERBEROS);
    let mechanisms = OidSet { count: 1, elements: &raw const kerberos };
    let mut owned = Owned { handle: null_mut(), give_back: library.release_cred };
    // SAFETY: all pointers are to live locals, `pairs` points into `told`, and both outlive the call; the library copies
    // what it keeps. A null name asks for the default one.
    let major = unsafe {
        (library.acquire_cred_from)(
            &raw mut minor,
            who.handle,
            NO_LIFETIME_WISH,
            &raw const mechanisms,
            INITIATE,
            if pairs.is_empty() { null() } else { &raw const store },
            &raw mut owned.handle,
            null_mut(),
            null_mut(),
        )
    };
    if status::is_error(major) {
        return Err(status::handshake_fault("looking for tickets", major, minor, service));
    }
    Ok(owned)
}
