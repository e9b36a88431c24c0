//! One's own account: words, password, second factor, passkeys, sessions.
//!
//! Invariant: what a stolen session must not do asks for the password again.

pub mod codes;
pub mod overview;
pub mod second;

use crate::console::route::Routes;

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    codes::routes(routes);
    overview::routes(routes);
    second::routes(routes);
}

/// Every page with its samples.
#[cfg(test)]
pub(in crate::console) fn samples(
    words: crate::console::words::Words,
) -> Vec<crate::console::sample::Sample> {
    let mut all = codes::samples(words);
    all.extend(overview::samples(words));
    all.extend(second::samples(words));
    all
}
