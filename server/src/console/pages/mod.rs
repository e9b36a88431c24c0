//! The pages, a file each; areas in folders.
//!
//! Not here: the frame, the door. Invariant: each page is listed in [`all`] and gives its samples.

pub mod account;
pub mod act;
pub mod approvals;
pub mod calendar;
pub mod components;
pub mod design;
pub mod devices;
pub mod dossier;
pub mod holds;
pub mod lifecycle;
pub mod login;
pub mod makers;
pub mod notices;
pub mod people;
pub mod records;
pub mod rollouts;
pub mod settings;
pub mod stop;
pub mod today;

use super::route::Routes;

/// Every page and form.
pub fn all(routes: &mut Routes) {
    account::routes(routes);
    act::routes(routes);
    approvals::routes(routes);
    calendar::routes(routes);
    components::routes(routes);
    design::routes(routes);
    holds::routes(routes);
    login::routes(routes);
    makers::routes(routes);
    notices::routes(routes);
    people::routes(routes);
    records::routes(routes);
    rollouts::routes(routes);
    stop::routes(routes);
    lifecycle::routes(routes);
    settings::routes(routes);
    dossier::routes(routes);
    today::routes(routes);
    devices::routes(routes);
}

/// Every page with its samples.
#[cfg(test)]
pub(super) fn samples(words: super::words::Words) -> Vec<super::sample::Sample> {
    let mut all = Vec::new();
    all.extend(account::samples(words));
    all.extend(act::samples(words));
    all.extend(approvals::samples(words));
    all.extend(calendar::samples(words));
    all.extend(components::samples(words));
    all.extend(design::samples(words));
    all.extend(holds::samples(words));
    all.extend(login::samples(words));
    all.extend(makers::samples(words));
    all.extend(notices::samples(words));
    all.extend(people::samples(words));
    all.extend(records::samples(words));
    all.extend(rollouts::samples(words));
    all.extend(stop::samples(words));
    all.extend(lifecycle::samples(words));
    all.extend(settings::samples(words));
    all.extend(dossier::samples(words));
    all.extend(today::samples(words));
    all.extend(devices::samples(words));
    all
}
