//! Standing approvals follow the manufacturer's releases, each with waves of its own; a withdrawn
//! release closes them at once.

use crate::hospital::{
    acts, approval, devices, north, publish, publish_family, release, site_and_family, told,
};
use crate::place::on_both;
use patchward_protocol::approval::{Action, Approval, KnownExploited, StandingPolicy};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::tuf::custom::{Class, ReleaseState, Severity};
use patchward_server::app::App;
use patchward_server::rollout::{tick, view};

fn standing(mut approval: Approval) -> Approval {
    approval.action = Action::Standing;
    approval.release = None;
    approval.standing = Some(StandingPolicy {
        families: vec!["acme.a".parse().unwrap()],
        classes: vec![Class::Security],
        severity_min: Severity::High,
        known_exploited: KnownExploited::Always,
    });
    approval
}

async fn images_open(app: &App, device: &crate::http::device::Device, n: u64) -> Vec<Sha256Digest> {
    let open = told(app, device, n).await.open;
    open.into_iter().map(|open| open.image_sha256.unwrap()).collect()
}

#[test]
fn a_standing_approval_follows_the_releases_that_it_permits() {
    on_both(|place| {
        let devices = devices(&place, 1);
        place.with_two(|one, two| async move {
            let (mut owner, mut family) = site_and_family(&one).await;
            let first = release(&one, &mut family, 1, Class::Security).await;
            publish_family(&one, &mut family).await;
            let policy = standing(approval("policy", 1, one.clock.now(), &[(&devices[0], 0)]));
            publish(&one, &mut owner, &[&policy]).await;
            let sha256 = first.payload.image_sha256;
            assert_eq!(images_open(&one, &devices[0], 1).await, [sha256]);
            // A feature is outside the policy; the next correction is in it.
            release(&one, &mut family, 2, Class::Feature).await;
            let third = release(&one, &mut family, 3, Class::Security).await;
            publish_family(&one, &mut family).await;
            two.reload().await.unwrap();
            let both = images_open(&two, &devices[0], 1).await;
            assert_eq!(both.len(), 2);
            assert!(both.contains(&third.payload.image_sha256));
            // What runs, and what is older, is not offered again.
            let mut poll = devices[0].poll(1, 2);
            poll.installed = Some(first.image());
            let asking =
                patchward_server::fleet::check_in::verify(&two.fleet, &devices[0].sealed(&poll));
            let reply =
                patchward_server::fleet::check_in::check_in(&two, asking.unwrap()).await.unwrap();
            let open: Vec<_> =
                reply.directive.open.iter().map(|open| open.image_sha256.unwrap()).collect();
            assert_eq!(open, [third.payload.image_sha256]);
            assert_eq!(view::list(&one, &north()).await.unwrap().len(), 2);
        });
    });
}

#[test]
fn a_withdrawn_release_closes_its_waves_at_once() {
    on_both(|place| {
        let devices = devices(&place, 1);
        place.with_two(|one, two| async move {
            let (mut owner, mut family) = site_and_family(&one).await;
            let mut first = release(&one, &mut family, 1, Class::Security).await;
            publish_family(&one, &mut family).await;
            let policy = standing(approval("policy", 1, one.clock.now(), &[(&devices[0], 0)]));
            publish(&one, &mut owner, &[&policy]).await;
            two.reload().await.unwrap();
            assert_eq!(images_open(&two, &devices[0], 1).await.len(), 1);
            first.state = ReleaseState::Withdrawn;
            family.describe("img/a-1.img", &first);
            publish_family(&one, &mut family).await;
            two.reload().await.unwrap();
            for app in [&one, &two] {
                assert!(images_open(app, &devices[0], 2).await.is_empty());
            }
            tick::tick(&two).await.unwrap();
            let views = view::list(&one, &north()).await.unwrap();
            assert_eq!(views[0].waves[0].state, "cancelled");
            assert_eq!(acts(&one).await.last().unwrap(), "wave-cancelled");
        });
    });
}
