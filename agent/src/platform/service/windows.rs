//! The service as Windows sees it: registered, running, stopping within five seconds, stopped; and how it is set up.

#![expect(unsafe_code, reason = "the service manager calls us, and two settings have no safe call")]

use std::ffi::OsString;
use std::io;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use windows_service::service::{
    ServiceAccess, ServiceAction, ServiceActionType, ServiceControl, ServiceControlAccept, ServiceExitCode,
    ServiceFailureActions, ServiceFailureResetPeriod, ServiceSidType, ServiceState, ServiceStatus, ServiceType,
};
use windows_service::service_control_handler::{self, ServiceControlHandlerResult, ServiceStatusHandle};
use windows_service::service_manager::{ServiceManager, ServiceManagerAccess};
use windows_service::{define_windows_service, service_dispatcher};
use windows_sys::Win32::System::Services::{
    ChangeServiceConfig2W, SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO, SERVICE_REQUIRED_PRIVILEGES_INFOW,
};

use super::{NAME, Stop};
use crate::exit::Exit;
use crate::platform::wide;

/// Everything is durable at any moment, so what has not ended by then is ended.
const PATIENCE: Duration = Duration::from_secs(4);
const SHOWN_PATIENCE: Duration = Duration::from_secs(5);

static WORK: OnceLock<fn(Stop) -> Exit> = OnceLock::new();
static ENDED: Mutex<Exit> = Mutex::new(Exit::Failed);

define_windows_service!(begin, attend);

pub fn serve(work: fn(Stop) -> Exit) -> Exit {
    if WORK.set(work).is_err() || service_dispatcher::start(NAME, begin).is_err() {
        // Not started by the service manager; `run` is the command for people.
        return Exit::Usage;
    }
    *ENDED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Called by the service manager on a thread of its own.
fn attend(_arguments: Vec<OsString>) {
    let Some(work) = WORK.get() else { return };
    let (sender, receiver) = watch::channel(false);
    let handler = move |control: ServiceControl| {
        if matches!(control, ServiceControl::Stop | ServiceControl::Shutdown | ServiceControl::Preshutdown) {
            sender.send_replace(true);
            ServiceControlHandlerResult::NoError
        } else if matches!(control, ServiceControl::Interrogate) {
            ServiceControlHandlerResult::NoError
        } else {
            ServiceControlHandlerResult::NotImplemented
        }
    };
    let Ok(manager) = service_control_handler::register(NAME, handler) else { return };
    tell(manager, ServiceState::Running, Exit::Ok);
    watch_the_end(manager, receiver.clone());
    let exit = work(Box::pin(until_true(receiver)));
    *ENDED.lock().unwrap_or_else(PoisonError::into_inner) = exit;
    tell(manager, ServiceState::Stopped, exit);
}

async fn until_true(mut receiver: watch::Receiver<bool>) {
    // An error means that nobody can tell us any more; then only the system ends us.
    if receiver.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// From the moment of the order on there is an end, whatever the work is at.
fn watch_the_end(manager: ServiceStatusHandle, receiver: watch::Receiver<bool>) {
    std::thread::spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else { return };
        runtime.block_on(until_true(receiver));
        tell(manager, ServiceState::StopPending, Exit::Ok);
        std::thread::sleep(PATIENCE);
        tell(manager, ServiceState::Stopped, Exit::Ok);
        std::process::exit(0);
    });
}

fn tell(manager: ServiceStatusHandle, state: ServiceState, exit: Exit) {
    let is_running = state == ServiceState::Running;
    let accepted = ServiceControlAccept::STOP | ServiceControlAccept::SHUTDOWN;
    let status = ServiceStatus {
        service_type: ServiceType::OWN_PROCESS,
        current_state: state,
        controls_accepted: if is_running { accepted } else { ServiceControlAccept::empty() },
        exit_code: match exit {
            Exit::Ok | Exit::Attention => ServiceExitCode::NO_ERROR,
            Exit::Failed
            | Exit::Usage
            | Exit::NotEnrolled
            | Exit::CloudUnreachable
            | Exit::DirectoryUnreachable
            | Exit::Updated => ServiceExitCode::ServiceSpecific(u32::from(exit.code())),
        },
        checkpoint: 0,
        wait_hint: if state == ServiceState::StopPending { SHOWN_PATIENCE } else { Duration::ZERO },
        process_id: None,
    };
    // A manager that does not listen has given us up already.
    let _ = manager.set_service_status(status);
}

/// Sets what an MSI cannot say, as the installer and not as the service, which may not change itself. Each setting that
/// was refused comes back by name.
pub fn configure() -> Vec<(&'static str, String)> {
    let access = ServiceAccess::CHANGE_CONFIG | ServiceAccess::START;
    let service = ServiceManager::local_computer(None::<&str>, ServiceManagerAccess::CONNECT)
        .and_then(|manager| manager.open_service(NAME, access));
    let service = match service {
        Ok(service) => service,
        Err(error) => return vec![("the service itself", told(&error))],
    };
    let settings = [
        ("delayed start", service.set_delayed_auto_start(true)),
        ("failure actions", service.update_failure_actions(restarts())),
        ("failure actions after an error", service.set_failure_actions_on_non_crash_failures(true)),
        ("service SID", service.set_config_service_sid_info(ServiceSidType::Unrestricted)),
    ];
    let refused = settings.into_iter().filter_map(|(what, done)| done.err().map(|error| (what, told(&error))));
    let privileges = keep_one_privilege(&service).err().map(|error| ("privileges", error.kind().to_string()));
    refused.chain(privileges).collect()
}

/// The account that the service manager starts the service as; `None` where there is no such service.
pub fn start_name() -> Option<String> {
    let manager = ServiceManager::local_computer(None::<&str>, ServiceManagerAccess::CONNECT).ok()?;
    let config = manager.open_service(NAME, ServiceAccess::QUERY_CONFIG).ok()?.query_config().ok()?;
    Some(config.account_name?.to_string_lossy().into_owned())
}

fn told(error: &windows_service::Error) -> String {
    if let windows_service::Error::Winapi(error) = error { error.kind().to_string() } else { error.to_string() }
}

/// After one, five and fifteen minutes; a day without a failure begins anew.
fn restarts() -> ServiceFailureActions {
    let after =
        |minutes: u64| ServiceAction { action_type: ServiceActionType::Restart, delay: Duration::from_mins(minutes) };
    ServiceFailureActions {
        reset_period: ServiceFailureResetPeriod::After(Duration::from_hours(24)),
        reboot_msg: None,
        command: None,
        actions: Some(vec![after(1), after(5), after(15)]),
    }
}

/// The one that every process needs to walk through folders. All others are taken from the service's token.
fn keep_one_privilege(service: &windows_service::service::Service) -> io::Result<()> {
    let mut names = wide::of("SeChangeNotifyPrivilege");
    // The list ends with an empty name.
    names.push(0);
    let wanted = SERVICE_REQUIRED_PRIVILEGES_INFOW { pmszRequiredPrivileges: names.as_mut_ptr() };
    // SAFETY: the structure and the list outlive the call; the handle is open as long as `service`.
    let done = unsafe {
        ChangeServiceConfig2W(service.raw_handle(), SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO, (&raw const wanted).cast())
    };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
