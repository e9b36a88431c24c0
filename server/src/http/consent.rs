//! Handlers of what people decide: inventories, holds, acts, rollouts, campaigns. Not here: rules.

use super::mount::{Call, ProofOf, mount};
use crate::consent::{act, campaign, hold, inventory, why};
use crate::error::ApiError;
use crate::rollout::view;
use actix_web::web::ServiceConfig;
use patchward_protocol::api::consent::{
    ActFiled, Campaign, FileAct, HoldView, LiftMakerHold, LiftOperatorHold, ListHolds,
    ListRollouts, ReadCampaign, ReadInventory, RolloutView, SetHold, SetMakerHold, SetOperatorHold,
    WhyNot, WhyView, WriteCampaign, WriteInventory,
};
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::id::{FamilyId, RepositoryId};
use patchward_protocol::inventory::Inventory;

/// Mounts the endpoints of `protocol::api::consent`.
pub fn mount_all(services: &mut ServiceConfig) {
    mount::<ReadInventory, _, _>(services, read_inventory);
    mount::<WriteInventory, _, _>(services, write_inventory);
    mount::<SetHold, _, _>(services, set_hold);
    mount::<ListHolds, _, _>(services, list_holds);
    mount::<SetMakerHold, _, _>(services, set_maker_hold);
    mount::<LiftMakerHold, _, _>(services, lift_maker_hold);
    mount::<SetOperatorHold, _, _>(services, set_operator_hold);
    mount::<LiftOperatorHold, _, _>(services, lift_operator_hold);
    mount::<FileAct, _, _>(services, file_act);
    mount::<ListRollouts, _, _>(services, list_rollouts);
    mount::<WriteCampaign, _, _>(services, write_campaign);
    mount::<ReadCampaign, _, _>(services, read_campaign);
    mount::<WhyNot, _, _>(services, why_not);
}

async fn read_inventory(
    call: Call<ReadInventory, ProofOf<ReadInventory>>,
) -> Result<Inventory, ApiError> {
    inventory::read(&call.app, call.caller.site()).await
}

async fn write_inventory(
    call: Call<WriteInventory, ProofOf<WriteInventory>>,
) -> Result<Inventory, ApiError> {
    inventory::write(&call.app, call.caller.site(), call.body, call.caller.holder()).await
}

async fn set_hold(call: Call<SetHold, ProofOf<SetHold>>) -> Result<HoldView, ApiError> {
    hold::set_at_site(&call.app, call.caller.site(), call.body, call.caller.holder()).await
}

async fn list_holds(call: Call<ListHolds, ProofOf<ListHolds>>) -> Result<Vec<HoldView>, ApiError> {
    hold::list(&call.app, call.caller.site()).await
}

async fn set_maker_hold(
    call: Call<SetMakerHold, ProofOf<SetMakerHold>>,
) -> Result<HoldView, ApiError> {
    let family = family(call.caller.repository())?;
    hold::set_by_maker(&call.app, family, call.body, call.caller.holder()).await
}

async fn lift_maker_hold(
    call: Call<LiftMakerHold, ProofOf<LiftMakerHold>>,
) -> Result<HoldView, ApiError> {
    let family = family(call.caller.repository())?;
    hold::lift_by_maker(&call.app, family, &call.path.1, call.caller.holder()).await
}

async fn set_operator_hold(
    call: Call<SetOperatorHold, ProofOf<SetOperatorHold>>,
) -> Result<HoldView, ApiError> {
    hold::set_by_operator(&call.app, call.body, call.caller.holder()).await
}

async fn lift_operator_hold(
    call: Call<LiftOperatorHold, ProofOf<LiftOperatorHold>>,
) -> Result<HoldView, ApiError> {
    hold::lift_by_operator(&call.app, &call.path.0, call.caller.holder()).await
}

async fn file_act(call: Call<FileAct, ProofOf<FileAct>>) -> Result<ActFiled, ApiError> {
    act::file(&call.app, call.caller.site(), call.body, call.caller.holder()).await
}

async fn list_rollouts(
    call: Call<ListRollouts, ProofOf<ListRollouts>>,
) -> Result<Vec<RolloutView>, ApiError> {
    view::list(&call.app, call.caller.site()).await
}

async fn write_campaign(
    call: Call<WriteCampaign, ProofOf<WriteCampaign>>,
) -> Result<Campaign, ApiError> {
    let family = family(call.caller.repository())?;
    campaign::write(&call.app, family, &call.path.1, call.body, call.caller.holder()).await
}

async fn read_campaign(
    call: Call<ReadCampaign, ProofOf<ReadCampaign>>,
) -> Result<Campaign, ApiError> {
    campaign::read(&call.app, family(call.caller.repository())?, &call.path.1).await
}

async fn why_not(call: Call<WhyNot, ProofOf<WhyNot>>) -> Result<WhyView, ApiError> {
    why::why(&call.app, call.caller.site(), &call.path.1).await
}

fn family(repository: &RepositoryId) -> Result<&FamilyId, ApiError> {
    match repository {
        RepositoryId::Family(family) => Ok(family),
        RepositoryId::Site(_) => Err(ApiError::of(ErrorCode::NotFound)),
    }
}
