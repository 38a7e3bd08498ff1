//! Kerberos through SSPI: the account of the service signs in (computer account, gMSA), and no secret is ours to keep.

#![expect(unsafe_code, reason = "calls the system's security support provider; every block says why it is sound")]

use std::ffi::c_void;
use std::ptr::{null, null_mut};

use windows_sys::Win32::Foundation::{
    SEC_E_CONTEXT_EXPIRED, SEC_E_DOWNGRADE_DETECTED, SEC_E_LOGON_DENIED, SEC_E_NO_AUTHENTICATING_AUTHORITY,
    SEC_E_NO_CREDENTIALS, SEC_E_NO_IP_ADDRESSES, SEC_E_NO_KERB_KEY, SEC_E_OK, SEC_E_OUT_OF_SEQUENCE,
    SEC_E_SECPKG_NOT_FOUND, SEC_E_TARGET_UNKNOWN, SEC_E_TIME_SKEW, SEC_E_UNKNOWN_CREDENTIALS, SEC_E_WRONG_PRINCIPAL,
    SEC_I_CONTINUE_NEEDED,
};
use windows_sys::Win32::Security::Authentication::Identity::{
    AcquireCredentialsHandleW, DecryptMessage, DeleteSecurityContext, EncryptMessage, FreeContextBuffer,
    FreeCredentialsHandle, ISC_REQ_CONFIDENTIALITY, ISC_REQ_INTEGRITY, ISC_REQ_MUTUAL_AUTH, ISC_REQ_REPLAY_DETECT,
    ISC_REQ_SEQUENCE_DETECT, ISC_RET_CONFIDENTIALITY, ISC_RET_INTEGRITY, ISC_RET_MUTUAL_AUTH, ISC_RET_REPLAY_DETECT,
    ISC_RET_SEQUENCE_DETECT, InitializeSecurityContextW, QueryContextAttributesW, QuerySecurityPackageInfoW,
    SECBUFFER_CHANNEL_BINDINGS, SECBUFFER_DATA, SECBUFFER_EMPTY, SECBUFFER_PADDING, SECBUFFER_STREAM, SECBUFFER_TOKEN,
    SECBUFFER_VERSION, SECPKG_ATTR_SIZES, SECPKG_CRED_OUTBOUND, SECQOP_WRAP_NO_ENCRYPT, SECURITY_NATIVE_DREP,
    SecBuffer, SecBufferDesc, SecPkgContext_Sizes, SecPkgInfoW,
};
use windows_sys::Win32::Security::Credentials::SecHandle;

use super::kerberos::{
    Damage, Granted, Handshake, KerberosFault, Purpose, Request, Sealing, SecurityContext, Service, Step,
};
use super::wide;

/// Kerberos itself; `Negotiate` could be talked down to NTLM.
const PACKAGE: &str = "Kerberos";
const NO_HANDLE: SecHandle = SecHandle { dwLower: 0, dwUpper: 0 };

/// A security context and what it was made with.
pub struct Context {
    /// Before the credentials it was made with, so that it goes before them.
    established: Option<Established>,
    credentials: Credentials,
    /// The longest token of the handshake, in bytes.
    largest_token: usize,
    /// `ldap/dc1.lab.example`, as wide characters with a zero at the end.
    target: Vec<u16>,
    service: Service,
    wanted: u32,
    granted: u32,
    binding: Option<Vec<u32>>,
}

// A `SecHandle` is two numbers that name an object of the process, so the struct is `Send` by itself; the one owner
// keeps it from being used by two at once.

/// The account's credentials, given back when dropped.
struct Credentials(SecHandle);

impl Drop for Credentials {
    fn drop(&mut self) {
        // SAFETY: the handle came from `AcquireCredentialsHandleW` and is not used after this.
        unsafe { FreeCredentialsHandle(&raw const self.0) };
    }
}

/// A context that exists, finished or not, deleted when dropped.
struct Established(SecHandle);

impl Drop for Established {
    fn drop(&mut self) {
        // SAFETY: the handle came from `InitializeSecurityContextW` and is not used after this.
        unsafe { DeleteSecurityContext(&raw const self.0) };
    }
}

impl Context {
    pub fn open(request: &Request) -> Result<Self, KerberosFault> {
        let sealing = ISC_REQ_MUTUAL_AUTH
            | ISC_REQ_REPLAY_DETECT
            | ISC_REQ_SEQUENCE_DETECT
            | ISC_REQ_CONFIDENTIALITY
            | ISC_REQ_INTEGRITY;
        let (wanted, binding) = match &request.purpose {
            Purpose::Sealing => (sealing, None),
            // Active Directory refuses a layer inside TLS, and takes the other flags for a wish for one.
            Purpose::InsideTls { binding } => (ISC_REQ_MUTUAL_AUTH, binding.as_deref().map(channel_bindings)),
        };
        Ok(Self {
            established: None,
            credentials: own_credentials(&request.service)?,
            largest_token: largest_token(&request.service)?,
            target: wide::of(format!("ldap/{}", request.service.host)),
            service: request.service.clone(),
            wanted,
            granted: 0,
            binding,
        })
    }

    fn handle(&self) -> Result<*const SecHandle, KerberosFault> {
        match &self.established {
            Some(context) => Ok(&raw const context.0),
            None => Err(KerberosFault::NotGranted("a security context")),
        }
    }

    fn sizes(&self) -> Result<SecPkgContext_Sizes, KerberosFault> {
        let mut sizes = SecPkgContext_Sizes { cbMaxToken: 0, cbMaxSignature: 0, cbBlockSize: 0, cbSecurityTrailer: 0 };
        let handle = self.handle()?;
        // SAFETY: the handle is of a live context, and this attribute fills exactly this structure.
        let status = unsafe { QueryContextAttributesW(handle, SECPKG_ATTR_SIZES, (&raw mut sizes).cast()) };
        succeeded("agreeing on sizes", status, &self.service)?;
        Ok(sizes)
    }
}

impl SecurityContext for Context {
    fn step(&mut self, received: &[u8]) -> Result<Step, KerberosFault> {
        let mut received = received.to_vec();
        let mut inputs = Vec::new();
        if self.established.is_some() {
            inputs.push(buffer(SECBUFFER_TOKEN, &mut received));
        }
        if let Some(binding) = &mut self.binding {
            inputs.push(SecBuffer {
                cbBuffer: u32::try_from(size_of_val(binding.as_slice())).unwrap_or(0),
                BufferType: SECBUFFER_CHANNEL_BINDINGS,
                pvBuffer: binding.as_mut_ptr().cast(),
            });
        }
        let input = description(&mut inputs);
        let mut token = vec![0; self.largest_token];
        let mut outputs = [buffer(SECBUFFER_TOKEN, &mut token)];
        let mut output = description(&mut outputs);
        let mut made = self.established.as_ref().map_or(NO_HANDLE, |context| context.0);
        let before = self.established.as_ref().map_or(null(), |context| &raw const context.0);
        // SAFETY: every pointer is to a live local or field; the buffers named by `input` and `output` outlive the call
        // and are as long as they say. Old and new context may be the same handle.
        let status = unsafe {
            InitializeSecurityContextW(
                &raw const self.credentials.0,
                before,
                self.target.as_ptr(),
                self.wanted,
                0,
                SECURITY_NATIVE_DREP,
                if inputs.is_empty() { null() } else { &raw const input },
                0,
                &raw mut made,
                &raw mut output,
                &raw mut self.granted,
                null_mut(),
            )
        };
        let handshake = match status {
            SEC_E_OK => Handshake::Established,
            SEC_I_CONTINUE_NEEDED => Handshake::Continues,
            failed => return Err(handshake_fault("getting a ticket for the directory", failed, &self.service)),
        };
        match &mut self.established {
            Some(context) => context.0 = made,
            None => self.established = Some(Established(made)),
        }
        let [made] = outputs;
        token.truncate(usize::try_from(made.cbBuffer).unwrap_or(0));
        Ok(Step { send: token, handshake })
    }

    fn granted(&self) -> Granted {
        let has = |flag: u32| self.granted & flag != 0;
        Granted {
            mutual: has(ISC_RET_MUTUAL_AUTH),
            integrity: has(ISC_RET_INTEGRITY),
            confidentiality: has(ISC_RET_CONFIDENTIALITY),
            sequence: has(ISC_RET_SEQUENCE_DETECT),
            replay: has(ISC_RET_REPLAY_DETECT),
        }
    }

    fn wrap(&mut self, plain: &[u8], sealing: Sealing) -> Result<Vec<u8>, KerberosFault> {
        let sizes = self.sizes()?;
        let mut token = vec![0; usize::try_from(sizes.cbSecurityTrailer).unwrap_or(0)];
        let mut data = plain.to_vec();
        let mut padding = vec![0; usize::try_from(sizes.cbBlockSize).unwrap_or(0)];
        let mut buffers = [
            buffer(SECBUFFER_TOKEN, &mut token),
            buffer(SECBUFFER_DATA, &mut data),
            buffer(SECBUFFER_PADDING, &mut padding),
        ];
        let message = description(&mut buffers);
        let protection = match sealing {
            Sealing::Sealed => 0,
            Sealing::SignedOnly => SECQOP_WRAP_NO_ENCRYPT,
        };
        let handle = self.handle()?;
        // SAFETY: the three buffers have the sizes that the package asked for and outlive the call.
        let status = unsafe { EncryptMessage(handle, protection, &raw const message, 0) };
        succeeded("sealing", status, &self.service)?;
        // The package says how much of each buffer it used, never more than it was given.
        let [used_token, used_data, used_padding] = buffers.map(|buffer| usize::try_from(buffer.cbBuffer).unwrap_or(0));
        token.truncate(used_token);
        data.truncate(used_data);
        padding.truncate(used_padding);
        Ok([token, data, padding].concat())
    }

    fn unwrap(&mut self, wrapped: &[u8]) -> Result<(Vec<u8>, Sealing), KerberosFault> {
        let mut stream = wrapped.to_vec();
        let mut buffers = [
            buffer(SECBUFFER_STREAM, &mut stream),
            SecBuffer { cbBuffer: 0, BufferType: SECBUFFER_DATA, pvBuffer: null_mut() },
        ];
        let message = description(&mut buffers);
        let mut protection = 0;
        let handle = self.handle()?;
        // SAFETY: the stream is decrypted in place and outlives the call; the data buffer is set to point into it.
        let status = unsafe { DecryptMessage(handle, &raw const message, 0, &raw mut protection) };
        match status {
            SEC_E_OK => {}
            SEC_E_OUT_OF_SEQUENCE => return Err(KerberosFault::Disturbed(Damage::Missing)),
            _ => return Err(KerberosFault::Disturbed(Damage::Changed)),
        }
        let [_, data] = &buffers;
        let sealing = if protection == SECQOP_WRAP_NO_ENCRYPT { Sealing::SignedOnly } else { Sealing::Sealed };
        // SAFETY: on success the data buffer names a part of `stream`, which is alive.
        Ok((unsafe { copied(data) }, sealing))
    }

    fn largest_plain(&mut self, largest_wrapped: u32) -> Result<usize, KerberosFault> {
        let sizes = self.sizes()?;
        let overhead = sizes.cbSecurityTrailer.saturating_add(sizes.cbBlockSize);
        Ok(usize::try_from(largest_wrapped.saturating_sub(overhead)).unwrap_or(0))
    }
}

/// # Safety
/// The buffer is empty, or names memory that is alive and as long as it says.
unsafe fn copied(buffer: &SecBuffer) -> Vec<u8> {
    let length = usize::try_from(buffer.cbBuffer).unwrap_or(0);
    if buffer.pvBuffer.is_null() || length == 0 || buffer.BufferType == SECBUFFER_EMPTY {
        return Vec::new();
    }
    // SAFETY: promised by the caller.
    unsafe { std::slice::from_raw_parts(buffer.pvBuffer.cast::<u8>(), length) }.to_vec()
}

fn buffer(kind: u32, bytes: &mut [u8]) -> SecBuffer {
    SecBuffer {
        cbBuffer: u32::try_from(bytes.len()).unwrap_or(0),
        BufferType: kind,
        pvBuffer: bytes.as_mut_ptr().cast::<c_void>(),
    }
}

fn description(buffers: &mut [SecBuffer]) -> SecBufferDesc {
    SecBufferDesc {
        ulVersion: SECBUFFER_VERSION,
        cBuffers: u32::try_from(buffers.len()).unwrap_or(0),
        pBuffers: buffers.as_mut_ptr(),
    }
}

/// How long a token of Kerberos may be here: `MaxTokenSize` of the machine, grown for accounts in many groups.
fn largest_token(service: &Service) -> Result<usize, KerberosFault> {
    let package = wide::of(PACKAGE);
    let mut info: *mut SecPkgInfoW = null_mut();
    // SAFETY: the name is alive and ends with a zero; `info` is a valid place for the one pointer that is written.
    let status = unsafe { QuerySecurityPackageInfoW(package.as_ptr(), &raw mut info) };
    succeeded("looking for Kerberos", status, service)?;
    if info.is_null() {
        return Err(KerberosFault::LibraryMissing(PACKAGE));
    }
    // SAFETY: after success it points to the one structure; it is read before it is given back.
    let largest = unsafe { (*info).cbMaxToken };
    // SAFETY: allocated by the call above, and not used after this.
    unsafe { FreeContextBuffer(info.cast()) };
    Ok(usize::try_from(largest).unwrap_or(0))
}

fn own_credentials(service: &Service) -> Result<Credentials, KerberosFault> {
    let package = wide::of(PACKAGE);
    let mut handle = NO_HANDLE;
    // SAFETY: the name is alive and ends with a zero; every optional pointer is null, which asks for the credentials of
    // the account that this process runs as.
    let status = unsafe {
        AcquireCredentialsHandleW(
            null(),
            package.as_ptr(),
            SECPKG_CRED_OUTBOUND,
            null(),
            null(),
            None,
            null(),
            &raw mut handle,
            null_mut(),
        )
    };
    succeeded("looking for tickets", status, service)?;
    Ok(Credentials(handle))
}

/// `SEC_CHANNEL_BINDINGS` with its data behind it, in words so that it is aligned: eight of the header, of which only
/// length and offset of the application data are set.
fn channel_bindings(data: &[u8]) -> Vec<u32> {
    const HEADER_BYTES: u32 = 32;
    let mut words = vec![0, 0, 0, 0, 0, 0, u32::try_from(data.len()).unwrap_or(0), HEADER_BYTES];
    words.extend(data.chunks(4).map(|chunk| {
        let mut word = [0; 4];
        word.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
        u32::from_ne_bytes(word)
    }));
    words
}

fn succeeded(stage: &'static str, status: i32, service: &Service) -> Result<(), KerberosFault> {
    if status == SEC_E_OK { Ok(()) } else { Err(handshake_fault(stage, status, service)) }
}

fn handshake_fault(stage: &'static str, status: i32, service: &Service) -> KerberosFault {
    match status {
        SEC_E_TARGET_UNKNOWN | SEC_E_WRONG_PRINCIPAL => KerberosFault::ServiceUnknown(format!("ldap/{}", service.host)),
        SEC_E_SECPKG_NOT_FOUND => KerberosFault::LibraryMissing(PACKAGE),
        SEC_E_TIME_SKEW => KerberosFault::ClockSkew,
        SEC_E_NO_CREDENTIALS | SEC_E_UNKNOWN_CREDENTIALS | SEC_E_NO_KERB_KEY => KerberosFault::NoTicket,
        SEC_E_LOGON_DENIED => KerberosFault::Refused,
        // The last is what Windows says when it reaches no key server: without one it would have to take less.
        SEC_E_NO_AUTHENTICATING_AUTHORITY | SEC_E_NO_IP_ADDRESSES | SEC_E_DOWNGRADE_DETECTED => {
            KerberosFault::NoKeyServer(service.realm.clone())
        }
        SEC_E_CONTEXT_EXPIRED => KerberosFault::TicketExpired,
        other => KerberosFault::Other { stage, major: other.cast_unsigned(), minor: 0 },
    }
}
