//! The access list of files and folders, by the security functions of advapi32.

#![expect(unsafe_code, reason = "calls into advapi32 with security descriptors")]

use std::io;
use std::path::Path;
use std::ptr;

use windows_sys::Win32::Foundation::{CloseHandle, ERROR_SUCCESS, HANDLE, LocalFree};
use windows_sys::Win32::Security::Authorization::{
    ConvertStringSecurityDescriptorToSecurityDescriptorW, ConvertStringSidToSidW, GetNamedSecurityInfoW,
    SDDL_REVISION_1, SE_FILE_OBJECT, SetNamedSecurityInfoW,
};
use windows_sys::Win32::Security::{
    ACCESS_ALLOWED_ACE, ACE_HEADER, ACL, DACL_SECURITY_INFORMATION, EqualSid, GetAce, GetSecurityDescriptorDacl,
    GetSecurityDescriptorOwner, GetSidSubAuthority, GetSidSubAuthorityCount, GetTokenInformation, IsWellKnownSid,
    OWNER_SECURITY_INFORMATION, PROTECTED_DACL_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR, PSID, TOKEN_QUERY,
    TOKEN_USER, TokenUser, WELL_KNOWN_SID_TYPE, WinAnonymousSid, WinAuthenticatedUserSid, WinBuiltinAdministratorsSid,
    WinBuiltinGuestsSid, WinBuiltinUsersSid, WinInteractiveSid, WinLocalSystemSid, WinNetworkSid, WinWorldSid,
};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_APPEND_DATA, FILE_DELETE_CHILD, FILE_READ_DATA, FILE_WRITE_DATA, WRITE_DAC, WRITE_OWNER,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

use super::{Openness, SERVICE_SID};
use crate::platform::{service_account, wide};

/// Everybody's groups: whoever is in one of them is not only this service.
const CROWDS: [WELL_KNOWN_SID_TYPE; 7] = [
    WinWorldSid,
    WinBuiltinUsersSid,
    WinAuthenticatedUserSid,
    WinInteractiveSid,
    WinNetworkSid,
    WinBuiltinGuestsSid,
    WinAnonymousSid,
];

/// `Domain Users` of whatever domain.
const DOMAIN_USERS: u32 = 513;

const ACCESS_ALLOWED: u8 = 0;
const GENERIC_READ_OR_ALL: u32 = 0x9000_0000;
const GENERIC_WRITE_OR_ALL: u32 = 0x5000_0000;
/// Of a folder: to make files or folders in it, to delete some, or to give oneself the right.
const WRITES: u32 =
    FILE_WRITE_DATA | FILE_APPEND_DATA | FILE_DELETE_CHILD | WRITE_DAC | WRITE_OWNER | GENERIC_WRITE_OR_ALL;

pub fn guard(folder: &Path) -> io::Result<()> {
    let wanted = Descriptor::parse(&super::access_list(service_account::sid().as_deref()))?;
    let path = wide::of(folder);
    let list = PROTECTED_DACL_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;
    set(&path, OWNER_SECURITY_INFORMATION, &wanted)
        .or_else(|error| if is_foreign(folder)? { Err(error) } else { Ok(()) })?;
    set(&path, list, &wanted)
}

fn set(path: &[u16], what: u32, wanted: &Descriptor) -> io::Result<()> {
    let (owner, list) = (wanted.owner()?, wanted.list()?);
    // SAFETY: `path` ends with a zero; owner and list point into `wanted`, which outlives the call.
    let done = unsafe {
        SetNamedSecurityInfoW(path.as_ptr(), SE_FILE_OBJECT, what, owner, ptr::null_mut(), list, ptr::null())
    };
    check(done)
}

pub fn openness(path: &Path) -> io::Result<Openness> {
    let found = Descriptor::of(path, DACL_SECURITY_INFORMATION)?;
    let list = found.list()?;
    if list.is_null() {
        return Ok(Openness::Writable);
    }
    // SAFETY: the list belongs to `found`, which outlives the loop.
    let count = unsafe { (*list).AceCount };
    let mut openness = Openness::Closed;
    for index in 0..u32::from(count) {
        openness = openness.max(what_a_crowd_may(list, index)?);
    }
    Ok(openness)
}

fn what_a_crowd_may(list: *mut ACL, index: u32) -> io::Result<Openness> {
    let mut entry = ptr::null_mut();
    // SAFETY: the index is below the list's count, so the system points us at a whole entry inside the list.
    unsafe {
        if GetAce(list, index, &raw mut entry) == 0 {
            return Err(io::Error::last_os_error());
        }
        if (*entry.cast::<ACE_HEADER>()).AceType != ACCESS_ALLOWED {
            return Ok(Openness::Closed);
        }
        let entry = entry.cast::<ACCESS_ALLOWED_ACE>();
        let sid: PSID = (&raw mut (*entry).SidStart).cast();
        let mask = if is_crowd(sid) { (*entry).Mask } else { 0 };
        Ok(match (mask & WRITES, mask & (FILE_READ_DATA | GENERIC_READ_OR_ALL)) {
            (0, 0) => Openness::Closed,
            (0, _) => Openness::Readable,
            (_, _) => Openness::Writable,
        })
    }
}

fn is_crowd(sid: PSID) -> bool {
    // SAFETY: `sid` points at a valid SID; its last sub-authority exists when the count is not zero.
    unsafe {
        let count = *GetSidSubAuthorityCount(sid);
        let is_domain_users = count == 5 && *GetSidSubAuthority(sid, 4) == DOMAIN_USERS;
        is_domain_users || CROWDS.iter().any(|crowd| IsWellKnownSid(sid, *crowd) != 0)
    }
}

pub fn is_foreign(folder: &Path) -> io::Result<bool> {
    let found = Descriptor::of(folder, OWNER_SECURITY_INFORMATION)?;
    let owner = found.owner()?;
    // SAFETY: `owner` points into `found`.
    let is_system = unsafe {
        IsWellKnownSid(owner, WinLocalSystemSid) != 0 || IsWellKnownSid(owner, WinBuiltinAdministratorsSid) != 0
    };
    if is_system || is(owner, SERVICE_SID)? || is_ourselves(owner)? {
        return Ok(false);
    }
    service_account::sid().map_or(Ok(true), |account| Ok(!is(owner, &account)?))
}

fn is(owner: PSID, sid: &str) -> io::Result<bool> {
    let text = wide::of(sid);
    let mut other: PSID = ptr::null_mut();
    // SAFETY: `text` ends with a zero; what the system hands out is freed after the comparison.
    unsafe {
        if ConvertStringSidToSidW(text.as_ptr(), &raw mut other) == 0 {
            return Err(io::Error::last_os_error());
        }
        let is_same = EqualSid(owner, other) != 0;
        LocalFree(other.cast());
        Ok(is_same)
    }
}

/// Whoever runs this program could do as much without it.
fn is_ourselves(owner: PSID) -> io::Result<bool> {
    // Eight-byte words: the answer begins with a pointer.
    let mut answer = [0_u64; 32];
    let mut token: HANDLE = ptr::null_mut();
    let mut length = 0;
    // SAFETY: the buffer is aligned for TOKEN_USER and its size is told; the handle is closed before anything returns.
    unsafe {
        if OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &raw mut token) == 0 {
            return Err(io::Error::last_os_error());
        }
        let size = u32::try_from(size_of_val(&answer)).unwrap_or(0);
        let done = GetTokenInformation(token, TokenUser, answer.as_mut_ptr().cast(), size, &raw mut length);
        let error = io::Error::last_os_error();
        CloseHandle(token);
        if done == 0 {
            return Err(error);
        }
        let user = answer.as_ptr().cast::<TOKEN_USER>();
        Ok(EqualSid(owner, (*user).User.Sid) != 0)
    }
}

/// A security descriptor that the system allocated.
struct Descriptor(PSECURITY_DESCRIPTOR);

impl Descriptor {
    fn parse(text: &str) -> io::Result<Self> {
        let text = wide::of(text);
        let mut descriptor = ptr::null_mut();
        // SAFETY: `text` ends with a zero; the descriptor is freed when dropped.
        let done = unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                text.as_ptr(),
                SDDL_REVISION_1,
                &raw mut descriptor,
                ptr::null_mut(),
            )
        };
        if done == 0 { Err(io::Error::last_os_error()) } else { Ok(Self(descriptor)) }
    }

    fn of(path: &Path, what: u32) -> io::Result<Self> {
        let path = wide::of(path);
        let mut descriptor = ptr::null_mut();
        // SAFETY: `path` ends with a zero; only the descriptor is asked for, and freed when dropped.
        let done = unsafe {
            GetNamedSecurityInfoW(
                path.as_ptr(),
                SE_FILE_OBJECT,
                what,
                ptr::null_mut(),
                ptr::null_mut(),
                ptr::null_mut(),
                ptr::null_mut(),
                &raw mut descriptor,
            )
        };
        check(done)?;
        Ok(Self(descriptor))
    }

    /// Null where everything is allowed to everybody.
    fn list(&self) -> io::Result<*mut ACL> {
        let (mut is_there, mut is_default, mut list) = (0, 0, ptr::null_mut());
        // SAFETY: the descriptor is valid as long as `self`.
        let done = unsafe { GetSecurityDescriptorDacl(self.0, &raw mut is_there, &raw mut list, &raw mut is_default) };
        if done == 0 { Err(io::Error::last_os_error()) } else { Ok(list) }
    }

    fn owner(&self) -> io::Result<PSID> {
        let (mut owner, mut is_default) = (ptr::null_mut(), 0);
        // SAFETY: the descriptor is valid as long as `self`.
        let done = unsafe { GetSecurityDescriptorOwner(self.0, &raw mut owner, &raw mut is_default) };
        if done == 0 { Err(io::Error::last_os_error()) } else { Ok(owner) }
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: the system allocated it with LocalAlloc, and nobody else frees it.
        unsafe {
            LocalFree(self.0);
        }
    }
}

fn check(code: u32) -> io::Result<()> {
    if code == ERROR_SUCCESS { Ok(()) } else { Err(io::Error::from_raw_os_error(code.cast_signed())) }
}
