//! All errors of the workspace become one Python exception.

use pyo3::prelude::*;

pyo3::import_exception!(nf.datapath.port, DatapathError);

/// An error on its way to Python.
pub struct Error(String);

impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl Error {
    /// An error of the binding itself.
    pub fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        DatapathError::new_err(error.0)
    }
}
