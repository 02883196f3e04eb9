"""The unmodified `fhirclient` library launches against techo demo.

Standard input: the JSON that `techo demo --json` prints. The person is played
by a browser of a few lines that fills in the two pages. Standard output: one
JSON object that tells what the library read.
"""

import json
import sys
from html.parser import HTMLParser
from urllib.parse import urljoin

import requests
from fhirclient.client import FHIRClient
from fhirclient.models.immunization import Immunization
from fhirclient.models.medicationstatement import MedicationStatement
from fhirclient.models.observation import Observation

CALLBACK = "http://127.0.0.1:9871/cb"


class Form(HTMLParser):
    """The first form of a page that has a control of the given name."""

    def __init__(self, html, control):
        super().__init__()
        self.forms = []
        self.feed(html)
        self.action, self.fields = next(
            (action, fields)
            for action, fields in self.forms
            if any(field.get("name") == control for field in fields)
        )

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag == "form":
            self.forms.append((attributes.get("action", ""), []))
        elif tag in ("input", "button") and self.forms:
            self.forms[-1][1].append(attributes)

    def hidden(self):
        return [(f["name"], f.get("value", "")) for f in self.fields if f.get("type") == "hidden"]

    def values(self, name):
        return [f.get("value", "") for f in self.fields if f.get("name") == name]


def approve(url, user, patient):
    """Sign in and approve everything; the address that the app is called back at."""
    browser = requests.Session()
    page = browser.get(url)
    page.raise_for_status()
    form = Form(page.text, "username")
    fields = form.hidden() + [("username", user["username"]), ("password", user["password"])]
    page = browser.post(urljoin(page.url, form.action), data=fields)
    page.raise_for_status()
    form = Form(page.text, "decision")
    fields = form.hidden() + [("scope", scope) for scope in form.values("scope")]
    fields += [("patient", patient), ("decision", "allow")]
    answer = browser.post(urljoin(page.url, form.action), data=fields, allow_redirects=False)
    while answer.is_redirect and not answer.headers["Location"].startswith(CALLBACK):
        answer = browser.get(urljoin(answer.url, answer.headers["Location"]), allow_redirects=False)
    return answer.headers["Location"]


def launch(info, client_id, scope=None):
    settings = {"app_id": client_id, "api_base": info["base"], "redirect_uri": CALLBACK}
    if scope:
        settings["scope"] = scope
    secret = info["clients"][client_id].get("client_secret")
    if secret:
        settings["app_secret"] = secret
    smart = FHIRClient(settings=settings)
    assert not smart.ready
    smart.prepare()
    smart.handle_callback(approve(smart.authorize_url, info["users"]["hanako"], "pt-mei"))
    assert smart.ready and smart.patient_id == "pt-mei", smart.patient_id
    return smart


def read(smart):
    def count(kind):
        found = kind.where({"patient": "pt-mei", "_count": "200"}).perform_resources(smart.server)
        return len([one for one in found if isinstance(one, kind)])

    return {
        "patient": smart.patient.birthDate.isostring,
        "Observation": count(Observation),
        "Immunization": count(Immunization),
        "MedicationStatement": count(MedicationStatement),
    }


def main():
    info = json.load(sys.stdin)
    # The library's own default scopes: "user/*.* patient/*.read openid profile".
    first = read(launch(info, "app-public"))
    smart = launch(info, "app-secret", "patient/*.read openid fhirUser offline_access")
    assert smart.reauthorize(), "refreshed"
    again = read(smart)
    print(json.dumps({"default": first, "secret": again}))


main()
