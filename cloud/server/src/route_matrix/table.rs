//! The table of all routes: who may come in, and a body that a form or script would send.

use rollcall_domain::role::Act;

/// Who a route is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Before anybody is known: sign-in and assets.
    Open,
    /// Everybody who is signed in.
    Anybody,
    /// A page or form for roles that may do this.
    Page(Act),
    /// The same for keys.
    Api(Act),
}

#[derive(Debug, Clone, Copy)]
pub struct Route {
    pub method: &'static str,
    pub path: &'static str,
    pub door: Door,
    pub body: &'static str,
}

impl Route {
    pub fn has_ids(&self) -> bool {
        self.path.contains('{')
    }

    /// The same form of an import, sent with its other button.
    pub const fn saving(&self) -> Self {
        Self { body: SAVED_IMPORT, ..*self }
    }

    /// Whether doing it would take away what later questions are about.
    pub fn ends_things(&self) -> bool {
        let last = self.path.rsplit('/').next().unwrap_or_default();
        matches!(last, "revoke" | "disable" | "end" | "logout" | "approve" | "reject" | "retry" | "release")
            || self.method == "DELETE"
    }
}

const fn get(path: &'static str, act: Act) -> Route {
    Route { method: "GET", path, door: Door::Page(act), body: "" }
}

const fn post(path: &'static str, act: Act, body: &'static str) -> Route {
    Route { method: "POST", path, door: Door::Page(act), body }
}

const fn api(method: &'static str, path: &'static str, act: Act, body: &'static str) -> Route {
    Route { method, path, door: Door::Api(act), body }
}

const fn of(method: &'static str, path: &'static str, door: Door, body: &'static str) -> Route {
    Route { method, path, door, body }
}

use Act::{
    CreateCustomer, DecideHeldRemovals, EditImport, InstallAgent, ManageApiKeys, ManageOperators, ManageUpdates, Pause,
    RetryJobs, RevokeAgent, SyncNow, ViewAudit, ViewCustomers, ViewSystem,
};

pub const IMPORT: &str = "name=Everyone&minutes=180&removal=deactivate&grace_days=30&intent=look&version=1";
const SAVED_IMPORT: &str = "name=Everyone&minutes=180&removal=deactivate&grace_days=30&intent=save&version=1\
    &ou=0f000000-0000-7000-8000-000000000000";
const VERDICT: &str = "import=imp_00000000-0000-7000-8000-000000000000&list=x&count=1";
const NEW_IMPORT: &str = r#"{"name":"All","directory_id":"dir_00000000-0000-7000-8000-000000000000","include":[]}"#;

pub const ROUTES: &[Route] = &[
    of("GET", "/login", Door::Open, ""),
    of("POST", "/login", Door::Open, "email=a%40b.example&password=x"),
    of("GET", "/login/{link}", Door::Open, ""),
    of("POST", "/login/{link}", Door::Open, "password=x"),
    of("POST", "/logout", Door::Open, ""),
    of("GET", "/assets/{*path}", Door::Open, ""),
    of("GET", "/docs/codes", Door::Open, ""),
    of("GET", "/events", Door::Anybody, ""),
    get("/", ViewCustomers),
    get("/customers", ViewCustomers),
    get("/customers/add", CreateCustomer),
    post("/customers/add", CreateCustomer, "name="),
    get("/c/{slug}", ViewCustomers),
    post("/c/{slug}/sync", SyncNow, ""),
    get("/c/{slug}/pause", Pause),
    post("/c/{slug}/pause", Pause, "reason=&hours="),
    post("/c/{slug}/resume", Pause, ""),
    get("/c/{slug}/agent", ViewCustomers),
    post("/c/{slug}/agent/token", InstallAgent, "hours=1"),
    post("/c/{slug}/agent/token/{token}/revoke", InstallAgent, ""),
    get("/download/rollcall-agent-x64.msi", InstallAgent),
    get("/c/{slug}/imports", ViewCustomers),
    get("/c/{slug}/imports/add", EditImport),
    post("/c/{slug}/imports/add", EditImport, IMPORT),
    get("/c/{slug}/imports/{import}", EditImport),
    post("/c/{slug}/imports/{import}", EditImport, IMPORT),
    get("/c/{slug}/imports/{import}/pause", Pause),
    post("/c/{slug}/imports/{import}/pause", Pause, "reason=&hours="),
    post("/c/{slug}/imports/{import}/resume", Pause, ""),
    post("/c/{slug}/structure/refresh", EditImport, ""),
    get("/people", ViewCustomers),
    get("/people.csv", ViewCustomers),
    get("/c/{slug}/people", ViewCustomers),
    get("/c/{slug}/people.csv", ViewCustomers),
    get("/c/{slug}/people/{account}", ViewCustomers),
    get("/runs", ViewCustomers),
    get("/c/{slug}/runs", ViewCustomers),
    get("/c/{slug}/runs/{run}", ViewCustomers),
    get("/c/{slug}/held", ViewCustomers),
    post("/c/{slug}/held/approve", DecideHeldRemovals, VERDICT),
    post("/c/{slug}/held/reject", DecideHeldRemovals, VERDICT),
    get("/agents", ViewCustomers),
    get("/agents/{agent}", ViewCustomers),
    post("/agents/{agent}/revoke", RevokeAgent, "confirm=nothing"),
    post("/agents/{agent}/release", RevokeAgent, ""),
    post("/agents/{agent}/bundles", InstallAgent, ""),
    get("/agents/{agent}/bundles/{bundle}", InstallAgent),
    get("/updates", ViewCustomers),
    post("/updates/{version}/pause", ManageUpdates, "reason=look"),
    post("/updates/{version}/resume", ManageUpdates, ""),
    post("/updates/{version}/begin", ManageUpdates, ""),
    post("/updates/delay", ManageUpdates, "days=0"),
    post("/updates/window", ManageUpdates, "from=&to="),
    get("/c/{slug}/updates", ViewCustomers),
    post("/c/{slug}/updates", ManageUpdates, "version="),
    post("/agents/{agent}/accept-clearing", DecideHeldRemovals, "attribute=mail:30"),
    post("/agents/{agent}/rotate", RevokeAgent, ""),
    of("GET", "/settings", Door::Anybody, ""),
    post("/settings/keys", ManageApiKeys, "name=&role=helpdesk"),
    post("/settings/keys/{key}/revoke", ManageApiKeys, ""),
    post("/settings/operators", ManageOperators, "name=&email=&role=helpdesk"),
    post("/settings/operators/{operator}/link", ManageOperators, ""),
    post("/settings/operators/{operator}/disable", ManageOperators, ""),
    of("POST", "/settings/sessions/{session}/end", Door::Anybody, ""),
    get("/audit", ViewAudit),
    get("/system", ViewSystem),
    post("/system/jobs/{job}/retry", RetryJobs, ""),
    api("GET", "/api/v1/customers", ViewCustomers, ""),
    api("POST", "/api/v1/customers", CreateCustomer, r#"{"name":""}"#),
    api("GET", "/api/v1/customers/{id}", ViewCustomers, ""),
    api("POST", "/api/v1/customers/{id}/sync", SyncNow, ""),
    api("POST", "/api/v1/customers/{id}/refresh-structure", SyncNow, ""),
    api("POST", "/api/v1/customers/{id}/pause", Pause, r#"{"reason":"move"}"#),
    api("POST", "/api/v1/customers/{id}/resume", Pause, ""),
    api("POST", "/api/v1/customers/{id}/enrol-tokens", InstallAgent, "{}"),
    api("GET", "/api/v1/customers/{id}/agents", ViewCustomers, ""),
    api("GET", "/api/v1/agents/{id}", ViewCustomers, ""),
    api("POST", "/api/v1/agents/{id}/revoke", RevokeAgent, ""),
    api("POST", "/api/v1/agents/{id}/bundles", InstallAgent, ""),
    api("GET", "/api/v1/agents/{id}/bundles", InstallAgent, ""),
    api("GET", "/api/v1/agents/{id}/bundles/{bundle}", InstallAgent, ""),
    api("GET", "/api/v1/agents/{id}/clearings", ViewCustomers, ""),
    api("POST", "/api/v1/agents/{id}/accept-clearing", DecideHeldRemovals, r#"{"attributes":["mail"]}"#),
    api("GET", "/api/v1/updates", ViewCustomers, ""),
    api("POST", "/api/v1/updates/pause", ManageUpdates, r#"{"version":"9.9.9","reason":"look"}"#),
    api("POST", "/api/v1/updates/resume", ManageUpdates, r#"{"version":"9.9.9"}"#),
    api("POST", "/api/v1/updates/begin", ManageUpdates, r#"{"version":"9.9.9"}"#),
    api("PUT", "/api/v1/updates/delay", ManageUpdates, r#"{"days":0}"#),
    api("PUT", "/api/v1/updates/window", ManageUpdates, r#"{"window":null}"#),
    api("PUT", "/api/v1/customers/{id}/update-pin", ManageUpdates, r#"{"version":null}"#),
    api("POST", "/api/v1/agents/{id}/release", RevokeAgent, ""),
    api("POST", "/api/v1/agents/{id}/rotate-key", RevokeAgent, ""),
    api("GET", "/api/v1/customers/{id}/directories", ViewCustomers, ""),
    api("GET", "/api/v1/directories/{id}/structure", ViewCustomers, ""),
    api("GET", "/api/v1/customers/{id}/imports", ViewCustomers, ""),
    api("POST", "/api/v1/customers/{id}/imports", EditImport, NEW_IMPORT),
    api("GET", "/api/v1/imports/{id}", ViewCustomers, ""),
    api("PATCH", "/api/v1/imports/{id}", EditImport, r#"{"grace_days":31}"#),
    api("DELETE", "/api/v1/imports/{id}", EditImport, ""),
    api("POST", "/api/v1/imports/{id}/sync", SyncNow, ""),
    api("POST", "/api/v1/imports/{id}/pause", Pause, r#"{"reason":"move"}"#),
    api("POST", "/api/v1/imports/{id}/resume", Pause, ""),
    api("GET", "/api/v1/customers/{id}/accounts", ViewCustomers, ""),
    api("GET", "/api/v1/accounts/{id}", ViewCustomers, ""),
    api("GET", "/api/v1/accounts/{id}/history", ViewCustomers, ""),
    api("GET", "/api/v1/customers/{id}/runs", ViewCustomers, ""),
    api("GET", "/api/v1/runs/{id}", ViewCustomers, ""),
    api("GET", "/api/v1/runs/{id}/held", ViewCustomers, ""),
    api("POST", "/api/v1/runs/{id}/held/approve", DecideHeldRemovals, r#"{"count":1}"#),
    api("POST", "/api/v1/runs/{id}/held/reject", DecideHeldRemovals, ""),
];
