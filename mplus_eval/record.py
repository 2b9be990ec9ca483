"""The base of every record that is stored as JSON: frozen, and without unknown keys."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, SerializationInfo, SerializerFunctionWrapHandler, model_serializer


class Record(BaseModel):
    """A frozen record that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")

    # Without an annotation, since pydantic would take it for the JSON Schema of every record.
    @model_serializer(mode="wrap")
    def _without_absent(self, handler: SerializerFunctionWrapHandler, info: SerializationInfo):  # type: ignore[no-untyped-def]
        """Leave out of JSON what was not evaluated; a field that must be there stays, as null."""
        fields = handler(self)
        if info.mode != "json":
            return fields
        known = type(self).model_fields
        return {key: value for key, value in fields.items() if value is not None or known[key].is_required()}
