"""What a registry answers about a request: error codes and findings.

Codes come from the sheet dmp-transactions, section 11, and from IHE ITI TF-3, 4.2.4. A finding names an attribute and a
place by rank, never a value: values are patients'.
"""

from __future__ import annotations

from typing import NamedTuple

UNKNOWN_PATIENT = "XDSUnknownPatientId"
PATIENT_DIFFERS = "XDSPatientIdDoesNotMatch"
UNIQUE_ID = "XDSDocumentUniqueIdError"
DUPLICATE = "XDSDuplicateUniqueIdInRegistry"
DUPLICATE_IN_MESSAGE = "XDSDuplicateUniqueIdInMessage"
OTHER_HASH = "XDSNonIdenticalHash"
METADATA = "XDSRegistryMetadataError"
REPOSITORY_METADATA = "XDSRepositoryMetadataError"
NO_DOCUMENT = "XDSMissingDocument"
NO_METADATA = "XDSMissingDocumentMetadata"
CONTENT = "InvalidDocumentContent"
DENIED = "DMPAccessDeniedByRightsService"
REPLACE = "XDSReplaceFailed"
DEPRECATED = "XDSRegistryDeprecatedDocumentError"
EXTRA = "XDSExtraMetadataNotSaved"
QUERY_UNKNOWN = "XDSUnknownStoredQuery"
QUERY_MISSING = "XDSStoredQueryMissingParam"
QUERY_NUMBER = "XDSStoredQueryParamNumber"
REGISTRY = "XDSRegistryError"


class Finding(NamedTuple):
    """An error or warning: `code`, `what` (one sentence naming the attribute), `where` (place by rank)."""

    code: str
    what: str
    where: str
    warning: bool = False
