//! Transforms: an IANA encryption and integrity number with their keys, made ready once.

use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyInit};
use aes::{Aes128, Aes192, Aes256};
use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};
use std::fmt;
use zeroize::Zeroizing;

/// The longest IV of any transform here.
pub const MAX_IV_OCTETS: usize = 16;
/// The longest ICV of any transform here.
pub const MAX_ICV_OCTETS: usize = 32;

const ENCR_NULL: u16 = 11;
const ENCR_AES_CBC: u16 = 12;
const ENCR_AES_GCM_16: u16 = 20;
const ENCR_CHACHA20_POLY1305: u16 = 28;
const AUTH_NONE: u16 = 0;
const AUTH_HMAC_SHA1_96: u16 = 2;
const AUTH_HMAC_SHA2_256_128: u16 = 12;
const AUTH_HMAC_SHA2_384_192: u16 = 13;
const AUTH_HMAC_SHA2_512_256: u16 = 14;

const SALT_OCTETS: usize = 4;
const AES_BLOCK: usize = 16;

/// Why a pair of transforms and keys makes no suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuiteError {
    /// The encryption transform ID (IANA "IKEv2 Transform Type 1") is not one of ours.
    UnknownEncryption(u16),
    /// The integrity transform ID (type 3) is not one of ours.
    UnknownIntegrity(u16),
    /// An integrity transform beside a combined-mode cipher, or none beside another (RFC 8221 section 4).
    BadPair,
    /// The length of a key, in octets, does not fit its transform.
    BadKeyLength(usize),
}

impl fmt::Display for SuiteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownEncryption(id) => write!(f, "unknown encryption transform {id}"),
            Self::UnknownIntegrity(id) => write!(f, "unknown integrity transform {id}"),
            Self::BadPair => write!(f, "integrity is needed with this cipher, or must be absent"),
            Self::BadKeyLength(octets) => write!(f, "a key of {octets} octets does not fit its transform"),
        }
    }
}

impl std::error::Error for SuiteError {}

/// What an IV must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IvKind {
    /// No IV on the wire.
    None,
    /// Eight octets that never repeat under a key: the sequence number (RFC 4106 section 3.1, RFC 7634 section 2).
    Counter,
    /// Sixteen octets that nobody can predict (RFC 3602 section 3).
    Random,
}

enum AesKey {
    A128(Box<Aes128>),
    A192(Box<Aes192>),
    A256(Box<Aes256>),
}

enum Cipher {
    Aead { key: Box<LessSafeKey>, salt: Zeroizing<[u8; SALT_OCTETS]> },
    Cbc(AesKey),
    Null,
}

enum Integrity {
    None,
    Sha1(Box<Hmac<Sha1>>),
    Sha256(Box<Hmac<Sha256>>),
    Sha384(Box<Hmac<Sha384>>),
    Sha512(Box<Hmac<Sha512>>),
}

/// A cipher and an integrity algorithm with expanded keys. Keys are cleared when it is dropped.
pub struct Suite {
    cipher: Cipher,
    integrity: Integrity,
}

impl fmt::Debug for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Suite").field("icv_octets", &self.icv_octets()).finish_non_exhaustive()
    }
}

/// Authentication failed, or the ciphertext is no whole number of blocks.
pub(crate) struct Refused;

impl Suite {
    /// A suite from IANA numbers and key octets. `encr_key` ends with the salt for the combined-mode ciphers; `key_bits` is
    /// the negotiated Key Length, 0 where the cipher has one size.
    pub fn new(encr: u16, key_bits: u16, integ: u16, encr_key: &[u8], integ_key: &[u8]) -> Result<Self, SuiteError> {
        let bad_key = SuiteError::BadKeyLength(encr_key.len());
        let cipher = match encr {
            ENCR_NULL if encr_key.is_empty() => Cipher::Null,
            ENCR_NULL => return Err(bad_key),
            ENCR_AES_CBC => {
                if usize::from(key_bits) != encr_key.len() * 8 {
                    return Err(bad_key);
                }
                Cipher::Cbc(match encr_key.len() {
                    16 => AesKey::A128(Box::new(Aes128::new_from_slice(encr_key).map_err(|_| bad_key)?)),
                    24 => AesKey::A192(Box::new(Aes192::new_from_slice(encr_key).map_err(|_| bad_key)?)),
                    32 => AesKey::A256(Box::new(Aes256::new_from_slice(encr_key).map_err(|_| bad_key)?)),
                    _ => return Err(bad_key),
                })
            }
            ENCR_AES_GCM_16 | ENCR_CHACHA20_POLY1305 => {
                let (key, salt) = encr_key.split_last_chunk::<SALT_OCTETS>().ok_or(bad_key)?;
                let algorithm = match (encr, key.len()) {
                    (ENCR_AES_GCM_16, 16) => &aead::AES_128_GCM,
                    (ENCR_AES_GCM_16, 24) => &aead::AES_192_GCM,
                    (ENCR_AES_GCM_16, 32) => &aead::AES_256_GCM,
                    (ENCR_CHACHA20_POLY1305, 32) => &aead::CHACHA20_POLY1305,
                    _ => return Err(bad_key),
                };
                let stated = usize::from(key_bits);
                if stated != key.len() * 8 && !(stated == 0 && encr == ENCR_CHACHA20_POLY1305) {
                    return Err(bad_key);
                }
                let key = UnboundKey::new(algorithm, key).map_err(|_| bad_key)?;
                Cipher::Aead { key: Box::new(LessSafeKey::new(key)), salt: Zeroizing::new(*salt) }
            }
            other => return Err(SuiteError::UnknownEncryption(other)),
        };
        let bad_key = SuiteError::BadKeyLength(integ_key.len());
        let integrity = match (integ, integ_key.len()) {
            (AUTH_NONE, 0) => Integrity::None,
            (AUTH_HMAC_SHA1_96, 20) => Integrity::Sha1(Box::new(keyed(integ_key).ok_or(bad_key)?)),
            (AUTH_HMAC_SHA2_256_128, 32) => Integrity::Sha256(Box::new(keyed(integ_key).ok_or(bad_key)?)),
            (AUTH_HMAC_SHA2_384_192, 48) => Integrity::Sha384(Box::new(keyed(integ_key).ok_or(bad_key)?)),
            (AUTH_HMAC_SHA2_512_256, 64) => Integrity::Sha512(Box::new(keyed(integ_key).ok_or(bad_key)?)),
            (
                AUTH_NONE
                | AUTH_HMAC_SHA1_96
                | AUTH_HMAC_SHA2_256_128
                | AUTH_HMAC_SHA2_384_192
                | AUTH_HMAC_SHA2_512_256,
                _,
            ) => return Err(bad_key),
            (other, _) => return Err(SuiteError::UnknownIntegrity(other)),
        };
        if matches!(cipher, Cipher::Aead { .. }) != matches!(integrity, Integrity::None) {
            return Err(SuiteError::BadPair);
        }
        Ok(Self { cipher, integrity })
    }

    /// What the IV must be.
    pub fn iv_kind(&self) -> IvKind {
        match self.cipher {
            Cipher::Aead { .. } => IvKind::Counter,
            Cipher::Cbc(_) => IvKind::Random,
            Cipher::Null => IvKind::None,
        }
    }

    /// Octets of IV between the ESP header and the payload.
    pub fn iv_octets(&self) -> usize {
        match self.iv_kind() {
            IvKind::None => 0,
            IvKind::Counter => 8,
            IvKind::Random => AES_BLOCK,
        }
    }

    /// Octets of ICV at the end.
    pub fn icv_octets(&self) -> usize {
        match self.integrity {
            Integrity::None => 16,
            Integrity::Sha1(_) => 12,
            Integrity::Sha256(_) => 16,
            Integrity::Sha384(_) => 24,
            Integrity::Sha512(_) => 32,
        }
    }

    /// Payload, padding, pad length and next header together are a multiple of this (RFC 4303 section 2.4).
    pub fn alignment(&self) -> usize {
        if matches!(self.cipher, Cipher::Cbc(_)) { AES_BLOCK } else { 4 }
    }

    /// Encrypt `body` in place and give its ICV. `header` is the ESP header (SPI and low sequence number), `iv` of
    /// `iv_octets` octets, `high` the upper sequence half with ESN. Refused when a length is wrong.
    pub(crate) fn protect(
        &self,
        header: &[u8; 8],
        high: Option<u32>,
        iv: &[u8],
        body: &mut [u8],
    ) -> Result<([u8; MAX_ICV_OCTETS], usize), Refused> {
        let mut icv = [0; MAX_ICV_OCTETS];
        match &self.cipher {
            Cipher::Aead { key, salt } => {
                let (aad, aad_octets) = combined_aad(header, high);
                let tag = key
                    .seal_in_place_separate_tag(nonce(salt, iv)?, Aad::from(&aad[..aad_octets]), body)
                    .map_err(|_| Refused)?;
                let octets = tag.as_ref().len();
                icv.get_mut(..octets).ok_or(Refused)?.copy_from_slice(tag.as_ref());
                return Ok((icv, octets));
            }
            Cipher::Cbc(key) => encrypt(key, iv, body)?,
            Cipher::Null => {}
        }
        let octets = self.mac(header, high, iv, body, &mut icv);
        Ok((icv, octets))
    }

    /// Verify and decrypt `body`, which ends with the ICV, in place; the octets of plaintext. The ICV is compared in
    /// constant time, and nothing is decrypted when it is wrong (for combined modes: nothing is given out).
    pub(crate) fn unprotect(
        &self,
        header: &[u8; 8],
        high: Option<u32>,
        iv: &[u8],
        body: &mut [u8],
    ) -> Result<usize, Refused> {
        if let Cipher::Aead { key, salt } = &self.cipher {
            let (aad, aad_octets) = combined_aad(header, high);
            let plain =
                key.open_in_place(nonce(salt, iv)?, Aad::from(&aad[..aad_octets]), body).map_err(|_| Refused)?;
            return Ok(plain.len());
        }
        let octets = body.len().checked_sub(self.icv_octets()).ok_or(Refused)?;
        let (cipher_text, icv) = body.split_at_mut(octets);
        let mut expected = [0; MAX_ICV_OCTETS];
        let icv_octets = self.mac(header, high, iv, cipher_text, &mut expected);
        aws_lc_rs::constant_time::verify_slices_are_equal(&expected[..icv_octets], icv).map_err(|_| Refused)?;
        if let Cipher::Cbc(key) = &self.cipher {
            decrypt(key, iv, cipher_text)?;
        }
        Ok(octets)
    }

    fn mac(
        &self,
        header: &[u8; 8],
        high: Option<u32>,
        iv: &[u8],
        body: &[u8],
        icv: &mut [u8; MAX_ICV_OCTETS],
    ) -> usize {
        let high = high.map(u32::to_be_bytes);
        let high: &[u8] = high.as_ref().map_or(&[], |octets| octets);
        let parts = [header, iv, body, high];
        match &self.integrity {
            Integrity::None => {}
            Integrity::Sha1(key) => truncated(key.as_ref(), parts, &mut icv[..12]),
            Integrity::Sha256(key) => truncated(key.as_ref(), parts, &mut icv[..16]),
            Integrity::Sha384(key) => truncated(key.as_ref(), parts, &mut icv[..24]),
            Integrity::Sha512(key) => truncated(key.as_ref(), parts, &mut icv[..32]),
        }
        self.icv_octets()
    }
}

fn keyed<M: Mac + KeyInit>(key: &[u8]) -> Option<M> {
    <M as KeyInit>::new_from_slice(key).ok()
}

fn truncated<M: Mac + Clone>(key: &M, parts: [&[u8]; 4], out: &mut [u8]) {
    let mut mac = key.clone();
    for part in parts {
        mac.update(part);
    }
    let full = mac.finalize().into_bytes();
    for (to, from) in out.iter_mut().zip(full.iter()) {
        *to = *from;
    }
}

/// SPI and sequence number, the latter of 64 bits with ESN (RFC 4106 section 5).
fn combined_aad(header: &[u8; 8], high: Option<u32>) -> ([u8; 12], usize) {
    let mut aad = [0; 12];
    let (spi, low) = header.split_at(4);
    aad[..4].copy_from_slice(spi);
    match high {
        None => {
            aad[4..8].copy_from_slice(low);
            (aad, 8)
        }
        Some(high) => {
            aad[4..8].copy_from_slice(&high.to_be_bytes());
            aad[8..].copy_from_slice(low);
            (aad, 12)
        }
    }
}

fn nonce(salt: &[u8; SALT_OCTETS], iv: &[u8]) -> Result<Nonce, Refused> {
    let iv: &[u8; 8] = iv.try_into().map_err(|_| Refused)?;
    let mut octets = [0; 12];
    octets[..SALT_OCTETS].copy_from_slice(salt);
    octets[SALT_OCTETS..].copy_from_slice(iv);
    Ok(Nonce::assume_unique_for_key(octets))
}

fn encrypt(key: &AesKey, iv: &[u8], body: &mut [u8]) -> Result<(), Refused> {
    fn run<C: aes::cipher::BlockCipherEncrypt>(key: &C, iv: &[u8], body: &mut [u8]) -> Result<(), Refused>
    where
        for<'a> cbc::Encryptor<&'a C>: InnerIvInit<Inner = &'a C> + BlockModeEncrypt,
    {
        let mut mode = cbc::Encryptor::inner_iv_slice_init(key, iv).map_err(|_| Refused)?;
        let (blocks, rest) = aes::cipher::Array::slice_as_chunks_mut(body);
        if !rest.is_empty() {
            return Err(Refused);
        }
        mode.encrypt_blocks(blocks);
        Ok(())
    }
    match key {
        AesKey::A128(key) => run(key.as_ref(), iv, body),
        AesKey::A192(key) => run(key.as_ref(), iv, body),
        AesKey::A256(key) => run(key.as_ref(), iv, body),
    }
}

fn decrypt(key: &AesKey, iv: &[u8], body: &mut [u8]) -> Result<(), Refused> {
    fn run<C: aes::cipher::BlockCipherDecrypt>(key: &C, iv: &[u8], body: &mut [u8]) -> Result<(), Refused>
    where
        for<'a> cbc::Decryptor<&'a C>: InnerIvInit<Inner = &'a C> + BlockModeDecrypt,
    {
        let mut mode = cbc::Decryptor::inner_iv_slice_init(key, iv).map_err(|_| Refused)?;
        let (blocks, rest) = aes::cipher::Array::slice_as_chunks_mut(body);
        if !rest.is_empty() {
            return Err(Refused);
        }
        mode.decrypt_blocks(blocks);
        Ok(())
    }
    match key {
        AesKey::A128(key) => run(key.as_ref(), iv, body),
        AesKey::A192(key) => run(key.as_ref(), iv, body),
        AesKey::A256(key) => run(key.as_ref(), iv, body),
    }
}
