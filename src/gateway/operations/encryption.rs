//! Encryption at rest: its state. Nothing is sealed yet, and so nobody is told that it is, unless
//! the operator wants the state alone.

use crate::gateway::error::Refusal;
use crate::gateway::host::Host;
use crate::wire::alter::StreamChange;

use super::{Call, Outcome};

impl<H: Host> Call<'_, H> {
    pub(super) async fn start_encryption(&self) -> Outcome {
        self.require_kms()?;
        if !self.settings.allow_unsealed_kms {
            return Err(Refusal::invalid_argument(
                "This server does not seal records yet: they would lie on disk as they are. A \
                 server that was started with --allow-unsealed-kms keeps the state of encryption \
                 without sealing anything.",
            ));
        }
        let key = self.text("KeyId").to_owned();
        self.alter(StreamChange::Encryption(Some(key))).await?;
        Ok(Vec::new())
    }

    pub(super) async fn stop_encryption(&self) -> Outcome {
        self.require_kms()?;
        self.alter(StreamChange::Encryption(None)).await?;
        Ok(Vec::new())
    }

    fn require_kms(&self) -> Result<(), Refusal> {
        match self.text("EncryptionType") {
            "KMS" => Ok(()),
            other => Err(Refusal::validation(format!(
                "1 validation error detected: Value '{other}' at 'encryptionType' failed to \
                 satisfy constraint: Member must satisfy enum value set: [KMS]"
            ))),
        }
    }
}
