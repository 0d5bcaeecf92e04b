"""Everything that syncd asks of an adapter."""

from acme_row import ROW

from syncd.testing import suite

TestAcme = suite(ROW)
