//! What a scope covers. Pure: one function per kind of thing.
//!
//! An administrator's token covers every repository and site of the server; that lets it publish
//! nothing that lacks its signatures and makes no device act. Not here: finding the token.
//! Invariant: a scope that is not named here covers nothing.

use patchward_protocol::api::token::Scope;
use patchward_protocol::id::{RepositoryId, SiteId};

/// Whether a scope covers uploading to and publishing in a repository, and reading it.
#[must_use]
pub fn repository(scope: &Scope, repository: &RepositoryId) -> bool {
    match (scope, repository) {
        (Scope::Administrator, _) => true,
        (Scope::Maker { families }, RepositoryId::Family(family)) => families.contains(family),
        (Scope::Site { site }, RepositoryId::Site(of)) => site == of,
        (Scope::Maker { .. }, RepositoryId::Site(_))
        | (Scope::Site { .. }, RepositoryId::Family(_)) => false,
    }
}

/// Whether a scope covers a site's devices and packs.
#[must_use]
pub fn site(scope: &Scope, site: &SiteId) -> bool {
    match scope {
        Scope::Administrator => true,
        Scope::Site { site: of } => of == site,
        Scope::Maker { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchward_protocol::id::FamilyId;

    fn repo(text: &str) -> RepositoryId {
        text.parse().unwrap()
    }

    #[test]
    fn a_token_covers_what_it_names_and_nothing_beside() {
        let maker = Scope::Maker { families: vec![FamilyId::new("acme.a").unwrap()] };
        let hospital = Scope::Site { site: SiteId::new("north").unwrap() };
        assert!(repository(&maker, &repo("family:acme.a")));
        assert!(!repository(&maker, &repo("family:acme.b")));
        assert!(!repository(&maker, &repo("site:north")));
        assert!(repository(&hospital, &repo("site:north")));
        assert!(!repository(&hospital, &repo("site:south")));
        assert!(!repository(&hospital, &repo("family:acme.a")));
        assert!(site(&hospital, &SiteId::new("north").unwrap()));
        assert!(!site(&hospital, &SiteId::new("south").unwrap()));
        assert!(!site(&maker, &SiteId::new("north").unwrap()));
    }
}
