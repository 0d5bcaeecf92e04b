"""The providers: one adapter each, and the HTTP client of all adapters.

Reading order: `adapter` (the contract) · `http` (a request, and the meaning of its failures) · `aiotic` (the shortest
adapter). Larger adapters keep their wire forms in `NAME_wire`, `NAME_answers` and the like. Below `http`: `transport`
(kept connections), `connection` (one of them), `way` (which addresses a host may have), `oauth`, `strict` (JSON).
"""
