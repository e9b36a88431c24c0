//! The pages, a file each; areas in folders.
//!
//! Not here: the frame, the door. Invariant: each page is listed in [`all`] and gives its samples.

pub mod account;
pub mod design;
pub mod holds;
pub mod login;
pub mod notices;
pub mod stop;

use super::route::Routes;

/// Every page and form.
pub fn all(routes: &mut Routes) {
    account::routes(routes);
    design::routes(routes);
    holds::routes(routes);
    login::routes(routes);
    notices::routes(routes);
    stop::routes(routes);
}

/// Every page with its samples.
#[cfg(test)]
pub(super) fn samples(words: super::words::Words) -> Vec<super::sample::Sample> {
    let mut all = Vec::new();
    all.extend(account::samples(words));
    all.extend(design::samples(words));
    all.extend(holds::samples(words));
    all.extend(login::samples(words));
    all.extend(notices::samples(words));
    all.extend(stop::samples(words));
    all
}
