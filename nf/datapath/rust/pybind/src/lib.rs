//! `nf.datapath._rust`: the data path for Python, and the ESP parts on their own for tests. `_rust.pyi` says the same in
//! Python's words; a test compares them.

mod datapath;
mod error;
mod parts;

use pyo3::prelude::*;

#[pymodule]
fn _rust(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<datapath::DataPath>()?;
    module.add_class::<parts::EspOutbound>()?;
    module.add_class::<parts::EspInbound>()?;
    module.add_class::<parts::ReplayWindow>()?;
    module.add_class::<parts::SpdTable>()?;
    module.add_function(wrap_pyfunction!(parts::decapsulate, module)?)
}
