//! A whole world through the real command line: a server, a manufacturer, a hospital, devices.
//!
//! Slower than [`crate::scene`], because every signature opens a key file as a person would. Shared by
//! the end-to-end tests and the demonstration.
//! Invariant: nothing is signed or published but by the command line.

use crate::bin::Programs;
use crate::desk::{Signing, Title};
use crate::device::Device;
use crate::hospital::Hospital;
use crate::image::Release;
use crate::maker::Maker;
use crate::server::Server;
use anyhow::{Context as _, Result};
use patchward_protocol::api::site::{DeviceView, ListDevices};
use patchward_protocol::id::{FamilyId, SiteId};
use std::path::{Path, PathBuf};

/// A server with one manufacturer.
#[derive(Debug)]
pub struct World {
    /// The server.
    pub server: Server,
    /// The manufacturer.
    pub maker: Maker,
    folder: PathBuf,
    programs: Programs,
}

impl World {
    /// A server and a manufacturer that has opened its repository.
    ///
    /// # Errors
    /// When any step is refused.
    pub fn begin(
        programs: &Programs,
        folder: &Path,
        family: &FamilyId,
        config: &str,
    ) -> Result<Self> {
        let title =
            Title { en: format!("Test family:{family}"), ja: format!("試験 family:{family}") };
        Self::begin_titled(programs, folder, (family, &title), config)
    }

    /// The same with a name of the family for people.
    ///
    /// # Errors
    /// When any step is refused.
    pub fn begin_titled(
        programs: &Programs,
        folder: &Path,
        named: (&FamilyId, &Title),
        config: &str,
    ) -> Result<Self> {
        let server = Server::begin(programs, &folder.join("server"), config)?;
        let (url, desk) = (server.url()?, folder.join("maker"));
        let maker = Maker::begin_titled(programs, &desk, (&url, &server.token), named)?;
        let programs = programs.clone();
        Ok(Self { server, maker, folder: folder.to_owned(), programs })
    }

    /// A hospital that has opened its repository.
    ///
    /// # Errors
    /// When any step is refused.
    pub fn hospital(&self, name: &str) -> Result<Hospital> {
        let site = SiteId::new(name).context("a site")?;
        let url = self.server.url()?;
        let server = (url.as_str(), self.server.token.as_str());
        let hospital = Hospital::begin(&self.programs, &self.folder.join(name), server, &site)?;
        hospital.trust(&self.maker.family, &self.maker.root)?;
        Ok(hospital)
    }

    /// A hospital whose people sign in the page of the console.
    ///
    /// # Errors
    /// When any step is refused.
    pub fn hospital_at_the_console(
        &self,
        name: &str,
        (title, weakest): (&Title, Signing),
    ) -> Result<Hospital> {
        let site = SiteId::new(name).context("a site")?;
        let url = self.server.url()?;
        let server = (url.as_str(), self.server.token.as_str());
        let folder = self.folder.join(name);
        let named = (&site, title, weakest);
        let hospital = Hospital::begin_at_the_console(&self.programs, &folder, server, named)?;
        hospital.trust(&self.maker.family, &self.maker.root)?;
        Ok(hospital)
    }

    /// A device with this image from the factory, enrolled at a hospital.
    ///
    /// # Errors
    /// When any step is refused.
    pub fn device(&self, hospital: &Hospital, name: &str, factory: &Release) -> Result<Device> {
        self.device_behind(hospital, name, factory, &self.server.url()?)
    }

    /// The same for a device that reaches the server at another address.
    ///
    /// # Errors
    /// When any step is refused.
    pub fn device_behind(
        &self,
        hospital: &Hospital,
        name: &str,
        factory: &Release,
        url: &str,
    ) -> Result<Device> {
        let root = std::fs::read(&self.maker.root).context("the family's root")?;
        let folder = self.folder.join(format!("{}-{name}", hospital.site));
        let mut device = Device::from_factory(&self.programs, &folder, name, factory, &root)?;
        let mut pack = hospital.pack(&device.family, name)?;
        url.clone_into(&mut pack.url);
        device.enrol(&pack)?;
        device.key = view(&self.server, hospital, name)?.device_key;
        Ok(device)
    }

    /// A place for files of this world.
    #[must_use]
    pub fn place(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// A device as the server sees it.
///
/// # Errors
/// When it is not enrolled.
pub fn view(server: &Server, hospital: &Hospital, name: &str) -> Result<DeviceView> {
    let devices = inventory(server, hospital)?;
    let found = devices.into_iter().find(|view| view.device.as_str() == name);
    found.with_context(|| format!("{name} is not enrolled at {}", hospital.site))
}

/// All devices of a hospital as the server sees them.
///
/// # Errors
/// When the server refuses.
pub fn inventory(server: &Server, hospital: &Hospital) -> Result<Vec<DeviceView>> {
    server.administrator()?.must::<ListDevices>(&[hospital.site.as_str()], &())
}
