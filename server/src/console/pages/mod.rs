//! The pages, a file each; areas in folders.
//!
//! Not here: the frame, the door. Invariant: each page is listed in [`all`] and gives its samples.

pub mod design;

use super::route::Routes;

/// Every page and form.
pub fn all(routes: &mut Routes) {
    design::routes(routes);
}

/// Every page with its samples.
#[cfg(test)]
pub(super) fn samples(words: super::words::Words) -> Vec<super::sample::Sample> {
    let mut all = Vec::new();
    all.extend(design::samples(words));
    all
}
