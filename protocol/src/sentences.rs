//! Tables of stable codes with one sentence in English and one in Japanese.
//!
//! Not here: the tables themselves; each stands where its words are used. Invariant: a code, once
//! given out, keeps its meaning.

macro_rules! sentences {
    (
        $(#[$doc:meta])*
        $table:ident {
            $($name:ident, $code:literal, $en:literal, $ja:literal;)*
        }
    ) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
            serde::Serialize, serde::Deserialize,
        )]
        pub enum $table {
            $(
                #[doc = $en]
                #[serde(rename = $code)]
                $name,
            )*
        }

        impl $table {
            /// All of them, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The stable code.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code),* }
            }

            /// What is the matter, in English.
            #[must_use]
            pub const fn en(self) -> &'static str {
                match self { $(Self::$name => $en),* }
            }

            /// What is the matter, in Japanese.
            #[must_use]
            pub const fn ja(self) -> &'static str {
                match self { $(Self::$name => $ja),* }
            }
        }

        impl std::fmt::Display for $table {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.code())
            }
        }
    };
}

pub(crate) use sentences;

#[cfg(test)]
mod tests {
    use crate::check::Broken;
    use crate::inventory::BrokenRule;
    use crate::plan::Reason;
    use std::collections::BTreeSet;

    #[test]
    fn codes_are_unique_and_both_languages_say_something() {
        let broken = Broken::ALL.iter().map(|one| (one.code(), one.en(), one.ja())).collect();
        let rules = BrokenRule::ALL.iter().map(|one| (one.code(), one.en(), one.ja())).collect();
        let reasons = Reason::ALL.iter().map(|one| (one.code(), one.en(), one.ja())).collect();
        let tables: [Vec<(&str, &str, &str)>; 3] = [broken, rules, reasons];
        for table in tables {
            let codes: BTreeSet<_> = table.iter().map(|(code, ..)| code).collect();
            assert_eq!(codes.len(), table.len());
            for (code, en, ja) in &table {
                assert!(en.ends_with('.') && ja.ends_with('。'), "{code}");
            }
        }
    }
}
