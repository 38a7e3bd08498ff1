//! `Idempotency-Key`: one key stands for one request, and a repeated request gets the first answer again.

use utoipa::IntoParams;

/// The header, for the specification.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "read by the middleware; this is its description")]
pub struct Once {
    /// Any text of up to 200 characters. Sent again within 24 hours, the same request is not carried out twice.
    #[param(rename = "Idempotency-Key", required = false)]
    idempotency_key: Option<String>,
}
