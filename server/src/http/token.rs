//! Handlers of API tokens. Not here: rules.

use super::mount::{Call, ProofOf, mount};
use crate::auth::issue;
use crate::error::ApiError;
use actix_web::web::ServiceConfig;
use patchward_protocol::api::token::{
    ClaimFirst, ListTokens, MakeToken, NewToken, RevokeToken, TokenView, WhoAmI,
};

/// Mounts the endpoints of `protocol::api::token`.
pub fn mount_all(services: &mut ServiceConfig) {
    mount::<ClaimFirst, _, _>(services, claim_first);
    mount::<MakeToken, _, _>(services, make_token);
    mount::<ListTokens, _, _>(services, list_tokens);
    mount::<RevokeToken, _, _>(services, revoke_token);
    mount::<WhoAmI, _, _>(services, whoami);
}

async fn claim_first(call: Call<ClaimFirst, ProofOf<ClaimFirst>>) -> Result<NewToken, ApiError> {
    issue::claim(&call.app, call.caller.digest()).await
}

async fn make_token(call: Call<MakeToken, ProofOf<MakeToken>>) -> Result<NewToken, ApiError> {
    let who = call.caller.holder().id.clone();
    issue::make(&call.app, call.body, (who, None)).await
}

async fn list_tokens(
    call: Call<ListTokens, ProofOf<ListTokens>>,
) -> Result<Vec<TokenView>, ApiError> {
    issue::list(&call.app).await
}

async fn revoke_token(call: Call<RevokeToken, ProofOf<RevokeToken>>) -> Result<(), ApiError> {
    let who = call.caller.holder().id.clone();
    issue::revoke(&call.app, call.path.0, (who, None)).await
}

async fn whoami(call: Call<WhoAmI, ProofOf<WhoAmI>>) -> Result<TokenView, ApiError> {
    Ok(issue::whoami(call.caller.holder()))
}
