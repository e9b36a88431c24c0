//! Tables of stable codes with one sentence in English and one in Japanese.
//!
//! Not here: the tables themselves; each stands where its words are used. Invariant: a code, once
//! given out, keeps its meaning.

/// An enum of stable codes: a row for each, `Name, "code", [columns,] "English.", "日本語。";`.
///
/// Up to two columns stand between code and sentences; each becomes a `const fn` of its name. A
/// column of an enum is written by the bare name of its variant.
#[macro_export]
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

            /// What is the matter and what to do, in English.
            #[must_use]
            pub const fn en(self) -> &'static str {
                match self { $(Self::$name => $en),* }
            }

            /// What is the matter and what to do, in Japanese.
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
    (
        $(#[$doc:meta])*
        $table:ident [$(#[$about:meta])* $column:ident: $type:ident] {
            $($name:ident, $code:literal, $value:tt, $en:literal, $ja:literal;)*
        }
    ) => {
        $crate::sentences! { $(#[$doc])* $table { $($name, $code, $en, $ja;)* } }
        $crate::sentences! { @column $table $(#[$about])* $column $type { $($name $value)* } }
    };
    (
        $(#[$doc:meta])*
        $table:ident [
            $(#[$about:meta])* $column:ident: $type:ident,
            $(#[$about_b:meta])* $column_b:ident: $type_b:ident
        ] {
            $($name:ident, $code:literal, $value:tt, $value_b:tt, $en:literal, $ja:literal;)*
        }
    ) => {
        $crate::sentences! {
            $(#[$doc])*
            $table [$(#[$about])* $column: $type] { $($name, $code, $value, $en, $ja;)* }
        }
        $crate::sentences! { @column $table $(#[$about_b])* $column_b $type_b { $($name $value_b)* } }
    };
    (@column $table:ident $(#[$about:meta])* $column:ident $type:ident {
        $($name:ident $value:tt)*
    }) => {
        impl $table {
            $(#[$about])*
            #[must_use]
            pub const fn $column(self) -> $type {
                match self { $(Self::$name => $crate::sentences!(@value $type $value)),* }
            }
        }
    };
    (@value $type:ident $value:literal) => { $value };
    (@value $type:ident $value:ident) => { $type::$value };
}

pub(crate) use sentences;

#[cfg(test)]
mod tests {
    use crate::check::Broken;
    use crate::draft::left_out::LeftOut;
    use crate::inventory::BrokenRule;
    use crate::plan::Reason;
    use std::collections::BTreeSet;

    #[test]
    fn codes_are_unique_and_both_languages_say_something() {
        let broken = Broken::ALL.iter().map(|one| (one.code(), one.en(), one.ja())).collect();
        let rules = BrokenRule::ALL.iter().map(|one| (one.code(), one.en(), one.ja())).collect();
        let reasons = Reason::ALL.iter().map(|one| (one.code(), one.en(), one.ja())).collect();
        let left = LeftOut::ALL.iter().map(|one| (one.code(), one.en(), one.ja())).collect();
        let tables: [Vec<(&str, &str, &str)>; 4] = [broken, rules, reasons, left];
        for table in tables {
            let codes: BTreeSet<_> = table.iter().map(|(code, ..)| code).collect();
            assert_eq!(codes.len(), table.len());
            for (code, en, ja) in &table {
                assert!(en.ends_with('.') && ja.ends_with('。'), "{code}");
            }
        }
    }
}
