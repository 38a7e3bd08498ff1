//! Asks Windows which HTTP proxy this machine and this account use. What the answers mean is decided in
//! `cloud/system_proxy.rs`.

#![cfg_attr(windows, expect(unsafe_code, reason = "calls WinHTTP; every block says why it is sound"))]

/// A proxy setting as Windows keeps it: lists of servers and of names that are reached without them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Setting {
    /// `proxy:3128`, or `http=proxy:3128;https=other:3128`.
    pub servers: String,
    /// `*.lab.example;<local>`
    pub bypass: String,
}

/// Everything that Windows has written down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Of the machine, for services: `netsh winhttp show proxy`.
    pub machine: Option<Setting>,
    /// Of the account that this process runs as, as its Internet options or a group policy say.
    pub account: Option<Setting>,
    /// The account's script (PAC), by its address.
    pub script: Option<String>,
}

/// What an account's script says for one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptAnswer {
    Through(Setting),
    Directly,
    /// It cannot be fetched or does not run.
    None,
}

#[cfg(not(windows))]
pub fn settings() -> Settings {
    Settings::default()
}

/// What the script says for an address. May take several seconds.
#[cfg(not(windows))]
pub fn ask_script(_script: &str, _address: &str) -> ScriptAnswer {
    ScriptAnswer::None
}

#[cfg(windows)]
pub use self::winhttp::{ask_script, settings};

#[cfg(windows)]
mod winhttp {
    use std::ffi::c_void;
    use std::ptr::null;

    use windows_sys::Win32::Foundation::{GlobalFree, TRUE};
    use windows_sys::Win32::Networking::WinHttp::{
        WINHTTP_ACCESS_TYPE_NAMED_PROXY, WINHTTP_ACCESS_TYPE_NO_PROXY, WINHTTP_AUTOPROXY_CONFIG_URL,
        WINHTTP_AUTOPROXY_OPTIONS, WINHTTP_CURRENT_USER_IE_PROXY_CONFIG, WINHTTP_PROXY_INFO, WinHttpCloseHandle,
        WinHttpGetDefaultProxyConfiguration, WinHttpGetIEProxyConfigForCurrentUser, WinHttpGetProxyForUrl, WinHttpOpen,
        WinHttpSetTimeouts,
    };

    use super::{ScriptAnswer, Setting, Settings};
    use crate::platform::wide;

    /// For each part of fetching a script.
    const MILLISECONDS: i32 = 5_000;

    pub fn settings() -> Settings {
        let (account, script) = of_the_account();
        Settings { machine: of_the_machine(), account, script }
    }

    fn of_the_machine() -> Option<Setting> {
        let mut info = WINHTTP_PROXY_INFO::default();
        // SAFETY: `info` is a valid place for the one structure that the call writes.
        let done = unsafe { WinHttpGetDefaultProxyConfiguration(&raw mut info) };
        if done == TRUE { taken(&info) } else { None }
    }

    fn of_the_account() -> (Option<Setting>, Option<String>) {
        let mut config = WINHTTP_CURRENT_USER_IE_PROXY_CONFIG::default();
        // SAFETY: `config` is a valid place for the one structure that the call writes.
        if unsafe { WinHttpGetIEProxyConfigForCurrentUser(&raw mut config) } != TRUE {
            return (None, None);
        }
        // SAFETY: after success each of the three is null or text that was allocated for us.
        let [script, servers, bypass] =
            [config.lpszAutoConfigUrl, config.lpszProxy, config.lpszProxyBypass].map(|text| unsafe { owned(text) });
        let setting = (!servers.is_empty()).then_some(Setting { servers, bypass });
        (setting, (!script.is_empty()).then_some(script))
    }

    /// Windows fetches the script and runs it, in a process of its own.
    pub fn ask_script(script: &str, address: &str) -> ScriptAnswer {
        let Some(session) = Session::open() else { return ScriptAnswer::None };
        let (script, address) = (wide::of(script), wide::of(address));
        let mut options = WINHTTP_AUTOPROXY_OPTIONS {
            dwFlags: WINHTTP_AUTOPROXY_CONFIG_URL,
            lpszAutoConfigUrl: script.as_ptr(),
            ..WINHTTP_AUTOPROXY_OPTIONS::default()
        };
        let mut info = WINHTTP_PROXY_INFO::default();
        // SAFETY: the session is open, both texts end with a zero, and all of it outlives the call.
        let done = unsafe { WinHttpGetProxyForUrl(session.0, address.as_ptr(), &raw mut options, &raw mut info) };
        if done != TRUE {
            return ScriptAnswer::None;
        }
        taken(&info).map_or(ScriptAnswer::Directly, ScriptAnswer::Through)
    }

    /// A session of WinHTTP that sends nothing through a proxy itself, closed when dropped.
    struct Session(*mut c_void);

    impl Session {
        fn open() -> Option<Self> {
            // SAFETY: no name, no proxy and no bypass list are given.
            let handle = unsafe { WinHttpOpen(null(), WINHTTP_ACCESS_TYPE_NO_PROXY, null(), null(), 0) };
            if handle.is_null() {
                return None;
            }
            let session = Self(handle);
            // SAFETY: the session is open.
            unsafe { WinHttpSetTimeouts(session.0, MILLISECONDS, MILLISECONDS, MILLISECONDS, MILLISECONDS) };
            Some(session)
        }
    }

    impl Drop for Session {
        fn drop(&mut self) {
            // SAFETY: opened by us and not used after this.
            unsafe { WinHttpCloseHandle(self.0) };
        }
    }

    /// Only a named proxy is one; both texts are taken and given back.
    fn taken(info: &WINHTTP_PROXY_INFO) -> Option<Setting> {
        // SAFETY: after success each of the two is null or text that was allocated for us.
        let [servers, bypass] = [info.lpszProxy, info.lpszProxyBypass].map(|text| unsafe { owned(text) });
        (info.dwAccessType == WINHTTP_ACCESS_TYPE_NAMED_PROXY && !servers.is_empty())
            .then_some(Setting { servers, bypass })
    }

    /// # Safety
    /// `text` is null, or ends with a zero and was allocated by WinHTTP for us; it is not used after this.
    unsafe fn owned(text: *mut u16) -> String {
        // SAFETY: promised by the caller.
        let copy = unsafe { wide::read(text) };
        if !text.is_null() {
            // SAFETY: promised by the caller.
            unsafe { GlobalFree(text.cast()) };
        }
        copy
    }
}
