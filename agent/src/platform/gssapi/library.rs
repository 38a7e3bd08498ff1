//! The functions of `libgssapi_krb5` as its header declares them (RFC 2744, `gssapi_ext.h`), found at run time.
//!
//! Loaded and not linked: an agent on a machine without Kerberos still starts and reads over LDAPS.

use std::ffi::{c_char, c_int, c_void};
use std::sync::OnceLock;

use libloading::Library;

use crate::platform::kerberos::KerberosFault;

pub const NAME: &str = "libgssapi_krb5.so.2";

/// `gss_buffer_desc`
#[repr(C)]
pub struct Buffer {
    pub length: usize,
    pub value: *mut c_void,
}

/// `gss_OID_desc`
#[repr(C)]
pub struct Oid {
    pub length: u32,
    pub elements: *const c_void,
}

/// `gss_OID_set_desc`
#[repr(C)]
pub struct OidSet {
    pub count: usize,
    pub elements: *const Oid,
}

/// `gss_key_value_element_desc`
#[repr(C)]
pub struct KeyValue {
    pub key: *const c_char,
    pub value: *const c_char,
}

/// `gss_key_value_set_desc`
#[repr(C)]
pub struct KeyValueSet {
    pub count: u32,
    pub elements: *const KeyValue,
}

/// `struct gss_channel_bindings_struct`
#[repr(C)]
pub struct ChannelBindings {
    pub initiator_address_type: u32,
    pub initiator_address: Buffer,
    pub acceptor_address_type: u32,
    pub acceptor_address: Buffer,
    pub application_data: Buffer,
}

/// `gss_name_t`, `gss_cred_id_t` and `gss_ctx_id_t` are pointers to what only the library knows.
pub type Handle = *mut c_void;

type Minor = *mut u32;

/// The functions we use, all from one library that is never unloaded.
pub struct Functions {
    pub import_name: unsafe extern "C" fn(Minor, *const Buffer, *const Oid, *mut Handle) -> u32,
    pub release_name: unsafe extern "C" fn(Minor, *mut Handle) -> u32,
    pub acquire_cred_from: unsafe extern "C" fn(
        Minor,
        Handle,
        u32,
        *const OidSet,
        c_int,
        *const KeyValueSet,
        *mut Handle,
        *mut *mut OidSet,
        *mut u32,
    ) -> u32,
    pub release_cred: unsafe extern "C" fn(Minor, *mut Handle) -> u32,
    pub init_sec_context: unsafe extern "C" fn(
        Minor,
        Handle,
        *mut Handle,
        Handle,
        *const Oid,
        u32,
        u32,
        *const ChannelBindings,
        *const Buffer,
        *mut *mut Oid,
        *mut Buffer,
        *mut u32,
        *mut u32,
    ) -> u32,
    pub delete_sec_context: unsafe extern "C" fn(Minor, *mut Handle, *mut Buffer) -> u32,
    pub wrap: unsafe extern "C" fn(Minor, Handle, c_int, u32, *const Buffer, *mut c_int, *mut Buffer) -> u32,
    pub unwrap: unsafe extern "C" fn(Minor, Handle, *const Buffer, *mut Buffer, *mut c_int, *mut u32) -> u32,
    pub wrap_size_limit: unsafe extern "C" fn(Minor, Handle, c_int, u32, u32, *mut u32) -> u32,
    pub release_buffer: unsafe extern "C" fn(Minor, *mut Buffer) -> u32,
    _library: Library,
}

/// The library, loaded once for the life of the process.
pub fn functions() -> Result<&'static Functions, KerberosFault> {
    static LOADED: OnceLock<Option<Functions>> = OnceLock::new();
    LOADED.get_or_init(|| load().ok()).as_ref().ok_or(KerberosFault::LibraryMissing(NAME))
}

fn load() -> Result<Functions, libloading::Error> {
    // SAFETY: the system's own library by its fixed name; its initialisers make no demands on the caller.
    let library = unsafe { Library::new(NAME)? };
    // SAFETY: each symbol has the signature that the header of MIT Kerberos declares for it, and the pointers live as
    // long as the library, which is kept beside them and never dropped (it lies in a static).
    unsafe {
        Ok(Functions {
            import_name: *library.get(b"gss_import_name\0")?,
            release_name: *library.get(b"gss_release_name\0")?,
            acquire_cred_from: *library.get(b"gss_acquire_cred_from\0")?,
            release_cred: *library.get(b"gss_release_cred\0")?,
            init_sec_context: *library.get(b"gss_init_sec_context\0")?,
            delete_sec_context: *library.get(b"gss_delete_sec_context\0")?,
            wrap: *library.get(b"gss_wrap\0")?,
            unwrap: *library.get(b"gss_unwrap\0")?,
            wrap_size_limit: *library.get(b"gss_wrap_size_limit\0")?,
            release_buffer: *library.get(b"gss_release_buffer\0")?,
            _library: library,
        })
    }
}
