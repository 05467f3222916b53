"""Local keys from the maker's cloud, once, through tinytuya's Cloud class. Never used by the plugin itself.

tinytuya sends its requests without any time limit and drops the reason of most failures; both are mended here by
standing between it and the library `requests`.
"""

from __future__ import annotations

import importlib
import json
import logging
import re
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from tuya.keys.sources import Found, SourceProblem, devices_in
from tuya.process import CommandError

CONNECT_TIMEOUT_S = 10.0
ANSWER_TIMEOUT_S = 20.0
REGIONS = ("eu", "eu-w", "us", "us-e", "cn", "in", "sg")  # tinytuya's names of Tuya's data centres

_LINK = "Cloud > your project > Devices > Link App Account"
# codes of Tuya's API -> what they mean for somebody who wants keys
_MEANINGS = {
    1001: "the access secret is not that of this project",
    1004: "the access secret is not that of this access id",
    1005: "there is no project with this access id",
    1013: "the clock of this machine is wrong: Tuya refuses requests with another time",
    1106: f"the project may not see these devices: link the app account to it ({_LINK}), and check the data centre",
    1114: "the project has a list of allowed IP addresses, and this machine's is not on it",
    2007: "this data centre may not be used from your country: choose the one that the project has",
    28841002: "the trial of the service 'IoT Core' has expired: ask for its extension on Tuya's platform under "
    "Cloud > Cloud Services > IoT Core, or make a new project",
    28841004: "the quota of the trial is used up: wait until it is renewed, or make a new project; keys that were "
    "fetched before stay valid",
    28841101: "the project has no subscription of 'IoT Core': add it under Cloud > your project > Service API",
    28841105: "the project is not authorised for 'IoT Core': add it under Cloud > your project > Service API",
    28841107: "the project's data centre is suspended: remove and add it again under Cloud > your project > Overview > "
    "Edit, and use the centre that your app account belongs to",
}


class Project(NamedTuple):
    """A developer project of the user's. The secret never reaches a message."""

    region: str
    access_id: str
    access_secret: str


class CloudProblem(CommandError):
    """The cloud did not give the keys. The text says why and what to do."""


class _Answered(NamedTuple):
    code: int
    message: str


class _Requests:
    """Takes the place of the module `requests` inside tinytuya's cloud module."""

    def __init__(self, library: Any, base_url: Optional[str]) -> None:
        self._library = library
        self._base_url = base_url
        self.Request = library.Request
        self.refusals: List[_Answered] = []

    def get(self, url: str, headers: Dict[str, str]) -> Any:
        """As requests.get."""
        return self.request("GET", url, headers)

    def request(self, action: str, url: str, headers: Dict[str, str], data: Any = None) -> Any:
        """As requests.request, with time limits and errors of ours; keeps what the API refuses."""
        if self._base_url is not None:
            url = re.sub(r"^https://[^/]+", self._base_url, url)
        limits = (CONNECT_TIMEOUT_S, ANSWER_TIMEOUT_S)
        failures = self._library.exceptions
        try:
            answer = self._library.request(action, url, headers=headers, data=data, timeout=limits)
        except failures.SSLError:
            raise CloudProblem("the cloud's certificate is not trusted: wrong clock, or a proxy in between") from None
        except failures.Timeout:
            raise CloudProblem(f"the cloud did not answer within {ANSWER_TIMEOUT_S:.0f} s; try again later") from None
        except failures.RequestException:
            raise CloudProblem("the cloud cannot be reached: is this machine connected to the internet?") from None
        if answer.status_code >= 500:
            raise CloudProblem(f"the cloud is out of order (HTTP {answer.status_code}); try again later")
        self._keep_refusal(answer.text)
        return answer

    def _keep_refusal(self, text: str) -> None:
        try:
            content = json.loads(text)
        except ValueError:
            raise CloudProblem("something else than Tuya's cloud answered: a proxy or a login page?") from None
        if isinstance(content, dict) and content.get("success") is False:
            code = content.get("code")
            self.refusals.append(_Answered(code if isinstance(code, int) else 0, str(content.get("msg", ""))))


def fetch(project: Project, known: Sequence[Dict[str, Any]], base_url: Optional[str] = None) -> List[Found]:
    """Fetch all devices of the project with keys and DP specifications: a handful of requests.

    known: entries that are there already; their specifications are not asked for again. base_url: where the API is,
    for tests. Raises CloudProblem.
    """
    module = _cloud_module()
    original = module.requests
    transport = _Requests(original, base_url)
    module.requests = transport
    try:
        cloud = module.Cloud(apiRegion=project.region, apiKey=project.access_id, apiSecret=project.access_secret)
        if not cloud.token:
            raise _problem(transport.refusals)
        devices = cloud.getdevices(oldlist=list(known), include_map=True)
    except (KeyError, TypeError, AttributeError, ValueError):
        # tinytuya stumbles over an answer that lacks what it expects
        raise _problem(transport.refusals) from None
    finally:
        module.requests = original
    if not isinstance(devices, list) or not devices:
        raise _problem(transport.refusals)
    try:
        return devices_in(json.dumps([_without_public_address(device) for device in devices]))
    except SourceProblem:
        raise CloudProblem(
            "the cloud lists your devices without their local keys; add 'IoT Core' to the project"
        ) from None


def _cloud_module() -> Any:
    """Import tinytuya's cloud module, whose debug log (it would print secrets) stays off."""
    logging.getLogger("tinytuya").setLevel(logging.WARNING)
    return importlib.import_module("tinytuya.Cloud")


def _without_public_address(device: Dict[str, Any]) -> Dict[str, Any]:
    """The cloud's "ip" is the house's address on the internet, of no use in it."""
    return {field: value for field, value in device.items() if field not in ("ip", "last_ip")}


def _problem(refusals: Sequence[_Answered]) -> CloudProblem:
    for refusal in reversed(refusals):
        meaning = _MEANINGS.get(refusal.code)
        if meaning is None and "clientid" in refusal.message.lower():
            meaning = _MEANINGS[1005]
        if meaning is not None:
            return CloudProblem(f"{meaning} (Tuya's code {refusal.code})")
    if refusals:
        return CloudProblem(f"Tuya's cloud refused: {refusals[-1].message[:120]} (code {refusals[-1].code})")
    return CloudProblem(
        f"the project has no devices: link the app account to it ({_LINK}), and choose the same data centre for both"
    )
