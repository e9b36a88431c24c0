//! Sessions: who a cookie belongs to.
//!
//! Invariant: the cookie's secret is stored nowhere, only its digest.

use super::who::Who;
use crate::app::App;
use crate::error::ApiError;
use std::sync::Arc;

/// Who a session's secret belongs to, when it is alive; the session lives on from now.
///
/// # Errors
/// Failures of the database.
pub async fn who(_app: &Arc<App>, _secret: &str) -> Result<Option<Who>, ApiError> {
    Ok(None)
}
