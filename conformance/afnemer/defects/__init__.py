"""Deliberate defects: Afnemers that do one thing wrong, so that every requirement is proven able to fail, for the right reason."""

import conformance.afnemer.defects.abonnementen
import conformance.afnemer.defects.controle
import conformance.afnemer.defects.documents
import conformance.afnemer.defects.ebms_receiving
import conformance.afnemer.defects.ebms_sending
import conformance.afnemer.defects.gegenereerd
import conformance.afnemer.defects.offers
import conformance.afnemer.defects.receiving
import conformance.afnemer.defects.redelivery
import conformance.afnemer.defects.rejections
import conformance.afnemer.defects.tls
import conformance.afnemer.defects.validatie  # noqa: F401  # importing a module of defects registers them
from conformance.afnemer.defects.registry import DEFECTS, Defect

__all__ = ["DEFECTS", "Defect"]
