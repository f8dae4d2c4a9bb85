# SPDX-License-Identifier: Apache-2.0
"""docs/schema.json names what the code names."""
import json
import re
from pathlib import Path

import jsonschema

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "docs" / "schema.json").read_text())


def test_the_schema_is_one():
    jsonschema.Draft7Validator.check_schema(SCHEMA)


def test_every_finding_of_the_code_is_in_the_schema():
    header = (ROOT / "src" / "core" / "finding_id.h").read_text()
    ids = re.findall(r'X\(\w+,\s*"([^"]+)"\)', header, re.M)
    assert len(ids) > 40
    assert sorted(SCHEMA["definitions"]["finding_id"]["enum"]) == sorted(ids)


def test_every_kind_with_a_rule_is_a_kind():
    kinds = SCHEMA["properties"]["kind"]["enum"]
    ruled = [r["if"]["properties"]["kind"]["const"] for r in SCHEMA["allOf"]]
    assert set(ruled) <= set(kinds)
