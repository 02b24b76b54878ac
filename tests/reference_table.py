"""
The reference of the experiment file, as README has it, made from the JSON Schema.

``python -m tests.reference_table`` prints it; a test compares README with it.
"""

import json

from glacier_inversion.experiment.experiment import json_schema
from glacier_inversion.experiment.operation import Operation, find_operations


def title(operation: type[Operation]) -> str:
    """Return the title of an operation: its name, and other spellings."""
    names = [f"`{name}`" for name in (operation.module_name(), *operation.spellings)]
    return f"Operation{'s' * (len(names) > 1)} {' and '.join(names)}"


SECTIONS = {
    None: "The file",
    "Variable": "`inputs`, `outputs`: a list of",
    "DatasetDescription": "`dataset_description`",
    "Raster": "`dataset_description.rasters`: a list of",
    "Split": "`dataset_description.split`",
    "ModelDescription": "`model_description`",
    "Branch": "Each entry of `model_description`",
    **{kind.__name__: title(kind) for kind in find_operations().values()},
    "Sampling": "`sampling`",
    "Augmentation": "`augmentation`",
    "DrawingDescription": "`drawing_description`",
}


def type_of(key: dict) -> str:
    """Name the type of a key, in the words of JSON."""
    if "$ref" in key or "oneOf" in key:
        return "object"
    if "anyOf" in key:
        kinds = dict.fromkeys(type_of(k) for k in key["anyOf"])
        return " or ".join(kind for kind in kinds if kind != "null")
    if "enum" in key or "const" in key:
        return "text"
    kind = {"string": "text", "boolean": "true/false"}.get(key["type"], key["type"])
    if kind == "array":
        return f"list of {type_of(key['items'])}" if "items" in key else "list"
    return kind


def allowed(key: dict) -> str:
    """List the values of a key that has few."""
    choices = key.get("anyOf", [])
    if any(choice.get("type") == "array" for choice in choices):
        return ""  # a list, or one of some names: the description says it
    parts = [key, *choices, key.get("additionalProperties", {})]
    parts += [p.get("items", {}) for p in parts if isinstance(p, dict)]
    values = next((p["enum"] for p in parts if isinstance(p, dict) and "enum" in p), [])
    return f" One of {', '.join(f'`{v}`' for v in values)}." if values else ""


def row(name: str, key: dict, required: bool) -> str:
    """Write the line of one key."""
    default = "required" if required else f"`{json.dumps(key.get('default'))}`"
    if "const" in key:
        return f"| `{name}` | text | required | `{key['const']}`. |"
    text = key.get("description", "Which operation.").rstrip(".") + "."
    return f"| `{name}` | {type_of(key)} | {default} | {text}{allowed(key)} |"


def table() -> str:
    """Return the tables of all sections."""
    schema = json_schema()
    lines = []
    for section, title in SECTIONS.items():
        part = schema["$defs"][section] if section else schema
        lines += [f"#### {title}", "", part["description"], ""]
        lines += ["| key | type | default | meaning |", "|---|---|---|---|"]
        required = part.get("required", [])
        for name, key in part["properties"].items():
            lines.append(row(name, key, name in required))
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())  # noqa: T201
