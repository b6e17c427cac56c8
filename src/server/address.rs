//! Addresses of requests: `NAME` is a collection in the space of its default SAE, `NAME:SAE` in that
//! of the SAE of that name.

use super::access::check_collection;
use crate::error::{Error, Result};
use crate::service::Address;

/// The address in the field `collection` of a request.
///
/// # Errors
/// `NotFound` for an SAE whose name is empty; `PermissionDenied` for a collection that the caller's key
/// is not for.
pub(super) fn address(text: String) -> Result<Address> {
    address_in(text, "collection")
}

/// The address in another field of a request.
pub(super) fn address_in(text: String, field: &str) -> Result<Address> {
    check_collection(text.split(':').next().unwrap_or_default())?;
    match text.split_once(':') {
        None => Ok(Address {
            collection: text,
            sae: None,
        }),
        Some((_, "")) => Err(Error::not_found(format!(
            "{field} ends with \":\", and no SAE has an empty name; NAME or NAME:SAE is accepted"
        ))),
        Some((collection, sae)) => Ok(Address {
            collection: collection.to_owned(),
            sae: Some(sae.to_owned()),
        }),
    }
}

/// The name of a collection to be made.
///
/// # Errors
/// `PermissionDenied` for one that the caller's key is not for.
pub(super) fn new_name(text: String) -> Result<String> {
    check_collection(&text)?;
    Ok(text)
}

/// The collection that a request changes.
///
/// # Errors
/// `InvalidArgument` where one of its SAEs is addressed.
pub(super) fn changed(text: String) -> Result<String> {
    match address(text)? {
        Address {
            collection,
            sae: None,
        } => Ok(collection),
        Address { sae: Some(sae), .. } => Err(Error::invalid(
            "collection",
            format!(
                "ends with \":{sae}\"; changes are made to the collection itself, and reach all of \
                 its SAEs"
            ),
        )),
    }
}
