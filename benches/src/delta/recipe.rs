//! How each tool is called: what is prepared, what is measured, what has to come out.
//!
//! Every tool is asked for its smallest patch at its usual strongest setting, and for one thread.
//! Not here: running. Invariant: a command names images by absolute paths and everything else by
//! names within the folder that it runs in.

use super::measure::Line;
use super::ours::{APPLY, BUILD, Way};
use super::pair::Pair;
use super::tool::Tool;
use anyhow::{Context as _, Result};
use std::path::Path;

/// The patch, in the folder of the tool.
pub const PATCH: &str = "patch";
/// What applying writes, in the folder of the tool.
pub const OUT: &str = "out";
/// Least and most window of zstd that covers both images, as a power of two.
const ZSTD_WINDOW_LOG: std::ops::RangeInclusive<u32> = 27..=31;

const HDIFF_BUILD: &str = "\
import sys, hdiffpatch as h
old, new = (open(path, 'rb').read() for path in sys.argv[1:3])
packing = h.ZStdConfig(level=22)
open(sys.argv[3], 'wb').write(h.diff(old, new, compression=packing, validate=False))";
const HDIFF_APPLY: &str = "\
import sys, hdiffpatch as h
old, patch = (open(path, 'rb').read() for path in sys.argv[1:3])
open(sys.argv[3], 'wb').write(h.apply(old, patch))";
const OSTREE_CHECK: &str = "\
ostree --repo=device checkout -U $(ostree --repo=build rev-parse new) out &&
diff -r --no-dereference out \"$1\"";

/// How one tool makes and applies a patch of one pair.
#[derive(Debug)]
pub struct Recipe {
    /// Run before the build, and not measured.
    pub prepare: Vec<Line>,
    /// Makes the patch.
    pub build: Line,
    /// How many bytes a device fetches.
    pub size: Size,
    /// Makes the new image; none for what cannot be measured here.
    pub apply: Option<Apply>,
}

/// How many bytes a device fetches.
#[derive(Debug)]
pub enum Size {
    /// The patch.
    Patch,
    /// An index, and the chunks of one store that another does not have.
    Chunks {
        /// The index.
        index: &'static str,
        /// The store of the old image.
        old: &'static str,
        /// The store of the new image.
        new: &'static str,
    },
    /// `Would download N of …`, as this command prints.
    Printed(Line),
}

/// How a patch is applied.
#[derive(Debug)]
pub struct Apply {
    /// Run before, and not measured.
    pub ready: Vec<Line>,
    /// Applies.
    pub line: Line,
    /// What has to come out.
    pub check: Check,
}

/// What has to come out.
#[derive(Debug)]
pub enum Check {
    /// The new image, in [`OUT`].
    Image,
    /// This command is content.
    Content(Line),
}

/// The recipe of a tool; none when it has nothing to do with such a pair.
///
/// # Errors
/// When an image is not there, or this program does not know where it is itself.
pub fn of(tool: Tool, pair: &Pair, python: Option<&Path>) -> Result<Option<Recipe>> {
    let of = Of { pair, lengths: pair.lengths()? };
    Ok(Some(match tool {
        Tool::Suffix => of.ours(Way::Suffix)?,
        Tool::Sampled => of.ours(Way::Sampled)?,
        Tool::Bsdiff => of.bsdiff(),
        Tool::Hdiff => match python {
            Some(python) => of.hdiff(python),
            None => return Ok(None),
        },
        Tool::Xdelta => of.xdelta(),
        Tool::ZstdFrom => of.zstd_from(),
        Tool::Ostree => match &pair.trees {
            Some([old, new]) => ostree(old, new),
            None => return Ok(None),
        },
        Tool::Casync => of.casync(),
        Tool::Zchunk => of.zchunk(),
        Tool::Zstd => of.zstd(),
    }))
}

struct Of<'a> {
    pair: &'a Pair,
    lengths: [u64; 2],
}

impl Of<'_> {
    fn ours(&self, way: Way) -> Result<Recipe> {
        let this = std::env::current_exe().context("find this program")?;
        let build =
            Line::new(&this).words([BUILD, way.word()]).word(&self.pair.old).word(&self.pair.new);
        let apply = Line::new(&this).word(APPLY).word(&self.pair.old).words([PATCH, OUT]);
        Ok(plain(build.word(PATCH), apply))
    }

    fn bsdiff(&self) -> Recipe {
        let build = Line::new("bsdiff").word(&self.pair.old).word(&self.pair.new).word(PATCH);
        plain(build, Line::new("bspatch").word(&self.pair.old).words([OUT, PATCH]))
    }

    fn hdiff(&self, python: &Path) -> Recipe {
        let build = Line::new(python).words(["-c", HDIFF_BUILD]).word(&self.pair.old);
        let apply = Line::new(python).words(["-c", HDIFF_APPLY]).word(&self.pair.old);
        plain(build.word(&self.pair.new).word(PATCH), apply.words([PATCH, OUT]))
    }

    /// The window over the old image is as large as that image: without, it would lose matches.
    fn xdelta(&self) -> Recipe {
        let [old, _] = self.lengths;
        let window = old.next_power_of_two().max(64 << 20).to_string();
        let line = || Line::new("xdelta3").words(["-f", "-B", &window]);
        let build =
            line().words(["-9", "-e", "-s"]).word(&self.pair.old).word(&self.pair.new).word(PATCH);
        plain(build, line().words(["-d", "-s"]).word(&self.pair.old).words([PATCH, OUT]))
    }

    fn zstd_from(&self) -> Recipe {
        let [old, new] = self.lengths;
        let log = old.saturating_add(new).max(1).next_power_of_two().ilog2();
        let log = log.clamp(*ZSTD_WINDOW_LOG.start(), *ZSTD_WINDOW_LOG.end());
        let line = || {
            let from = format!("--patch-from={}", &self.pair.old.display());
            Line::new("zstd").words(["-f", "-q", &format!("--long={log}"), &from])
        };
        let build = line().words(["-19", "--single-thread"]).word(&self.pair.new);
        plain(build.words(["-o", PATCH]), line().words(["-d", PATCH, "-o", OUT]))
    }

    fn zstd(&self) -> Recipe {
        let build = Line::new("zstd").words(["-f", "-q", "-19", "--single-thread"]);
        let apply = Line::new("zstd").words(["-f", "-q", "-d", PATCH, "-o", OUT]);
        plain(build.word(&self.pair.new).words(["-o", PATCH]), apply)
    }

    fn casync(&self) -> Recipe {
        let make = |store: &str, index: &str, image: &Path| {
            Line::new("casync")
                .word("make")
                .word(format!("--store={store}"))
                .word(index)
                .word(image)
        };
        let extract = Line::new("casync").words(["extract", "--store=new.castr"]);
        let seed = format!("--seed={}", &self.pair.old.display());
        Recipe {
            prepare: vec![make("old.castr", "old.caibx", &self.pair.old)],
            build: make("new.castr", "new.caibx", &self.pair.new),
            size: Size::Chunks { index: "new.caibx", old: "old.castr", new: "new.castr" },
            apply: Some(Apply {
                ready: Vec::new(),
                line: extract.words([seed.as_str(), "new.caibx", OUT]),
                check: Check::Image,
            }),
        }
    }

    /// Applying needs a web server that cuts ranges: its size is measured, its work is not.
    fn zchunk(&self) -> Recipe {
        let make = |out, image: &Path| Line::new("zck").words(["-o", out]).word(image);
        Recipe {
            prepare: vec![make("old.zck", &self.pair.old)],
            build: make("new.zck", &self.pair.new),
            size: Size::Printed(Line::new("zck_delta_size").words(["old.zck", "new.zck"])),
            apply: None,
        }
    }
}

fn plain(build: Line, apply: Line) -> Recipe {
    let apply = Apply { ready: Vec::new(), line: apply, check: Check::Image };
    Recipe { prepare: Vec::new(), build, size: Size::Patch, apply: Some(apply) }
}

fn ostree(old: &Path, new: &Path) -> Recipe {
    let on = |repository: &str| Line::new("ostree").word(format!("--repo={repository}"));
    let init = |repository: &str| on(repository).words(["init", "--mode=bare-user-only"]);
    let commit = |branch: &str, tree: &Path| {
        let fixed = ["commit", "--canonical-permissions", "--no-bindings"];
        let named = [
            "--timestamp=@1700000000".to_owned(),
            format!("--branch={branch}"),
            format!("--tree=dir={}", tree.display()),
        ];
        on("build").words(fixed).words(named)
    };
    let generate = ["static-delta", "generate", "--from=old", "--to=new", "--inline"];
    let whole = ["--min-fallback-size=0", "--max-bsdiff-size=1024", "--filename=patch"];
    let empty = Line::new("rm").words(["-rf", "device"]);
    let pulled = on("device").words(["pull-local", "build", "old"]);
    let check = Line::new("sh").words(["-c", OSTREE_CHECK, "check"]).word(new);
    Recipe {
        prepare: vec![init("build"), commit("old", old), commit("new", new)],
        build: on("build").words(generate).words(whole),
        size: Size::Patch,
        apply: Some(Apply {
            ready: vec![empty, init("device"), pulled],
            line: on("device").words(["static-delta", "apply-offline", PATCH]),
            check: Check::Content(check),
        }),
    }
}
