//! The generator of the campus: that of the e-learning system under other defaults.

use highwater::dataset::{GeneratorKind, OptionKind};

use super::elearning::{DIALECT_OPTION, RATE_OPTION, TOPICS, ZONE_ABOUT, make};
use super::{Profile, option};

/// The data set `campus`.
pub(crate) const KIND: GeneratorKind = GeneratorKind {
    name: "campus",
    about: "What students and teachers of a university do on its platform.",
    topics: TOPICS,
    options: OPTIONS,
    make: |options| make(options, Profile::Upstream, ZONE),
};

const ZONE: &str = "Asia/Ho_Chi_Minh";

const OPTIONS: &[OptionKind] = &[
    RATE_OPTION,
    option(
        "profile",
        &[],
        "upstream",
        "Which events: `upstream` are the producer's, `full` also those of the job of elearning.",
    ),
    DIALECT_OPTION,
    option("zone", &[], ZONE, ZONE_ABOUT),
];
