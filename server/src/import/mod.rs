//! Files → FHIR.
