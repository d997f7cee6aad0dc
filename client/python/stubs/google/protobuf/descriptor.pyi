class EnumDescriptor: ...
class FileDescriptor: ...

class FieldDescriptor:
    name: str
    number: int

class Descriptor:
    full_name: str
    fields: list[FieldDescriptor]
    fields_by_name: dict[str, FieldDescriptor]
