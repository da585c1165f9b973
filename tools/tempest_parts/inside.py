"""Runs in the suite's environment, not in libra's: one module of it, in this process.

    python inside.py MODULE NETWORK

Standard output gets a line of JSON a test: its name, "success", "skip", "error" or "failure", and its last words.

With a provider that does nothing the suite makes ids of networks up. Ours are address pools, so NETWORK stands for all.
"""

import json
import sys
import unittest

from octavia_tempest_plugin.tests import test_base


class Told(unittest.TestResult):
    """Each outcome as it comes."""

    def _tell(self, test: object, outcome: str, words: str = "") -> None:
        shown = [line for line in words.splitlines() if line.strip()][-3:]
        line = json.dumps({"test": str(test), "outcome": outcome, "words": "\n".join(shown)})
        sys.__stdout__.write(f"{line}\n")
        sys.__stdout__.flush()

    def addSuccess(self, test):  # noqa: N802 - unittest's
        self._tell(test, "success")

    def addSkip(self, test, reason=""):  # noqa: N802
        self._tell(test, "skip", reason)

    def addError(self, test, error=None, details=None):  # noqa: N802
        self._tell(test, "error", self._words(test, error, details))

    def addFailure(self, test, error=None, details=None):  # noqa: N802
        self._tell(test, "failure", self._words(test, error, details))

    def _words(self, test, error, details) -> str:
        if error is not None:
            return self._exc_info_to_string(error, test)
        return details["traceback"].as_text() if "traceback" in details else str(details)


class OneNetwork:
    """In the place of a module that makes ids up."""

    def __init__(self, network: str) -> None:
        self._network = network

    def generate_uuid(self) -> str:
        return self._network


def main() -> None:
    module, network = sys.argv[1:]
    setup = test_base.LoadBalancerBaseTest.resource_setup.__func__

    def with_network(cls: type) -> None:
        before, test_base.uuidutils = test_base.uuidutils, OneNetwork(network)
        try:
            setup(cls)
        finally:
            test_base.uuidutils = before

    test_base.LoadBalancerBaseTest.resource_setup = classmethod(with_network)
    name = f"octavia_tempest_plugin.tests.api.v2.test_{module}"
    unittest.defaultTestLoader.loadTestsFromName(name).run(Told())


if __name__ == "__main__":
    main()
