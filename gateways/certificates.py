"""Until when a certificate serves, announced before it ends. Opening connections with it belongs to `dmp`, signing to the seal."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from transvase.errors import CertificateRefused, Said
from transvase.gateways.dmp import DMP

# A certificate of the structure takes weeks to be renewed: the order, the visit, the installation.
NOTICE = timedelta(days=30)


class Expiry(NamedTuple):
    """A PEM file by its name, and the end of its first certificate (aware)."""

    file: str
    end: datetime

    def ended(self, now: datetime) -> bool:
        """Past its end."""
        return now > self.end

    def near(self, now: datetime) -> bool:
        """Still good, and so near its end that somebody must order the next one."""
        return not self.ended(now) and self.end - now <= NOTICE

    def sentence(self, now: datetime) -> Said:
        """File, date in the time zone of `now`, what to do."""
        day = self.end.astimezone(now.tzinfo).date().isoformat()
        if self.ended(now):
            return Said(
                f"{self.file} a expiré le {day}, installez le certificat renouvelé",
                f"{self.file} expired on {day}, install the renewed certificate",
            )
        return Said(
            f"{self.file} expire le {day} : commandez son renouvellement dès maintenant.",
            f"{self.file} expires on {day}: order its renewal now.",
        )


def expiry(certificate: Path) -> Expiry:
    """The end of a PEM file's first certificate. CertificateRefused when there is none to read."""
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificates(certificate.read_bytes())
    except (OSError, ValueError):
        raise CertificateRefused(
            service=DMP,
            reason=Said(f"{certificate.name} n'est pas lisible", f"{certificate.name} cannot be read"),
        ) from None
    return Expiry(certificate.name, found[0].not_valid_after_utc)
