//! Handlers of what devices say. Not here: anything that they mean.

use super::mount::{Call, ProofOf, mount};
use crate::error::ApiError;
use crate::{fleet, record};
use actix_web::web::ServiceConfig;
use patchward_protocol::api::device::{
    CheckIn, CheckInReply, Enrol, EnrolReply, Report, ReportReply,
};

/// Mounts the endpoints of `protocol::api::device`.
pub fn mount_all(services: &mut ServiceConfig) {
    mount::<Enrol, _, _>(services, enrol);
    mount::<CheckIn, _, _>(services, check_in);
    mount::<Report, _, _>(services, report);
}

async fn enrol(call: Call<Enrol, ProofOf<Enrol>>) -> Result<EnrolReply, ApiError> {
    fleet::enrol::enrol(&call.app, call.caller).await
}

async fn check_in(call: Call<CheckIn, ProofOf<CheckIn>>) -> Result<CheckInReply, ApiError> {
    fleet::check_in::check_in(&call.app, call.caller).await
}

async fn report(call: Call<Report, ProofOf<Report>>) -> Result<ReportReply, ApiError> {
    record::report::report(&call.app, call.caller).await
}
