//! `Hello`: the first frame of a connection, and its answer.

use super::codec::{Decode, DecodeError, Reader, Writer};
use crate::base::ids::CoreId;

/// The first bytes of a hello's payload.
pub const HELLO_MAGIC: [u8; 4] = *b"SHWY";
/// The highest protocol version that this library speaks.
pub const PROTOCOL_VERSION: u16 = 1;
/// The lowest.
pub const PROTOCOL_VERSION_MIN: u16 = 1;
/// "Any core will do."
pub const ANY_CORE: CoreId = CoreId(u16::MAX);

/// What a client says first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello<'a> {
    /// Lowest protocol version that the client speaks.
    pub version_min: u16,
    /// Highest.
    pub version_max: u16,
    /// Features that the client would use; unknown bits are ignored.
    pub features: u64,
    /// The core that should serve this connection, or [`ANY_CORE`].
    pub wanted_core: CoreId,
    /// For logs: program and version.
    pub client: &'a str,
}

impl Hello<'_> {
    /// The version to speak with this client: the highest that both know, if there is one.
    #[must_use]
    pub fn negotiate(&self) -> Option<u16> {
        let version = self.version_max.min(PROTOCOL_VERSION);
        (version >= self.version_min.max(PROTOCOL_VERSION_MIN)).then_some(version)
    }

    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.bytes(&HELLO_MAGIC).u16(self.version_min).u16(self.version_max).u64(self.features);
        w.u16(self.wanted_core.0).text(self.client);
    }
}

impl<'a> Decode<'a> for Hello<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        if r.array::<4>("magic")? != HELLO_MAGIC {
            return Err(DecodeError::Value("magic"));
        }
        Ok(Hello {
            version_min: r.u16("version_min")?,
            version_max: r.u16("version_max")?,
            features: r.u64("features")?,
            wanted_core: CoreId(r.u16("wanted_core")?),
            client: r.text("client")?,
        })
    }
}

/// What the server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HelloAnswer<'a> {
    /// The version of this connection from now on.
    pub version: u16,
    /// Features that both have.
    pub features: u64,
    /// The core that serves this connection.
    pub core: CoreId,
    /// Number of cores; home cores follow from it.
    pub cores: u16,
    /// Identity of the data dir.
    pub server: [u8; 16],
    /// The server's release.
    pub release: &'a str,
}

impl HelloAnswer<'_> {
    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.u16(self.version).u64(self.features).u16(self.core.0).u16(self.cores);
        w.bytes(&self.server).text(self.release);
    }
}

impl<'a> Decode<'a> for HelloAnswer<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(HelloAnswer {
            version: r.u16("version")?,
            features: r.u64("features")?,
            core: CoreId(r.u16("core")?),
            cores: r.u16("cores")?,
            server: r.array("server")?,
            release: r.text("release")?,
        })
    }
}
