//! What an endpoint is: method, path, who may call, and the shapes that go in and out.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// HTTP methods in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Method {
    Get,
    Post,
    Put,
    Delete,
}

impl Method {
    /// As it stands on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// Who may call an endpoint, and by what they prove it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Who {
    /// Anybody.
    Anyone,
    /// A device with a one-time enrolment token, inside a statement signed by its device key.
    Enrolling,
    /// A device, by a statement signed with its link or device key.
    Device,
    /// Anybody for public families; a device token or API token otherwise (404 without).
    Reader,
    /// A holder of an API token whose scope covers the repository.
    Publisher,
    /// A holder of an API token of the site.
    Site,
    /// An administrator's API token.
    Administrator,
    /// A holder of any valid API token.
    TokenHolder,
    /// A holder of the one-time token that `init` printed.
    FirstAdministrator,
}

/// A JSON endpoint as a type.
///
/// `Caller` is a marker for [`Who`]; the server turns it into a proof of authentication that the
/// handler receives, so that a handler cannot be mounted without one.
pub trait Endpoint {
    /// Marker of who may call.
    type Caller: Caller;
    /// Path parameters, in the order of the braces in [`Endpoint::PATH`].
    type Path: DeserializeOwned;
    /// What goes in; `()` for none.
    type Body: Serialize + DeserializeOwned;
    /// What comes out; `()` for none (204).
    type Reply: Serialize + DeserializeOwned;
    /// Method.
    const METHOD: Method;
    /// Path with `{braces}`.
    const PATH: &'static str;
    /// One line for the OpenAPI document.
    const SUMMARY: &'static str;
    /// Most bytes of the body.
    const BODY_BYTES_MAX: usize = 64 * 1024;
}

/// A type-level [`Who`].
pub trait Caller {
    /// Its value.
    const WHO: Who;
}

macro_rules! callers {
    ($($name:ident),*) => {
        /// Markers: one type for each [`Who`].
        pub mod caller {
            $(
                /// Marker of the caller kind with this name.
                #[derive(Debug, Clone, Copy)]
                pub struct $name;
                impl super::Caller for $name {
                    const WHO: super::Who = super::Who::$name;
                }
            )*
        }
    };
}

callers!(
    Anyone,
    Enrolling,
    Device,
    Reader,
    Publisher,
    Site,
    Administrator,
    TokenHolder,
    FirstAdministrator
);

/// One line of the list of endpoints, without its types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Description {
    /// Name of the type, e.g. `CheckIn`.
    pub name: &'static str,
    /// Method.
    pub method: Method,
    /// Path with `{braces}`.
    pub path: &'static str,
    /// Who may call.
    pub who: Who,
    /// One line of explanation.
    pub summary: &'static str,
}

impl Description {
    /// The description of a JSON endpoint.
    #[must_use]
    pub const fn of<E: Endpoint>(name: &'static str) -> Self {
        Self { name, method: E::METHOD, path: E::PATH, who: E::Caller::WHO, summary: E::SUMMARY }
    }
}
