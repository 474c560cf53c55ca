from __future__ import annotations

from adapters.simchain.application import ERROR_ACKNOWLEDGEMENT, ERROR_ANSWER
from hub.core.packet import check_acknowledgement


def test_error_answer_is_the_fields_own() -> None:
    # Source: solidity-ibc-eureka ICS24Host.sol, UNIVERSAL_ERROR_ACK.
    expected = "4774d4a575993f963b1c06573736617a457abef8589178db8d10c94b4ab511ab"
    assert ERROR_ANSWER.hex() == expected


def test_error_acknowledgement_is_a_valid_one_with_one_answer() -> None:
    check_acknowledgement(ERROR_ACKNOWLEDGEMENT)
    assert ERROR_ACKNOWLEDGEMENT.app_acknowledgements == (ERROR_ANSWER,)
