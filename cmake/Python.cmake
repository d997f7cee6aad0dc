# CMDMOX_PYTHON: a Python that has the protobuf package; the first on PATH may
# be one without it.
function(cmdmox_python_has_protobuf result candidate)
  execute_process(COMMAND ${candidate} -c "import google.protobuf" RESULT_VARIABLE status OUTPUT_QUIET ERROR_QUIET)
  if(NOT status EQUAL 0)
    set(${result} FALSE PARENT_SCOPE)
  endif()
endfunction()
find_program(CMDMOX_PYTHON NAMES python3 PATHS /usr/bin NO_DEFAULT_PATH VALIDATOR cmdmox_python_has_protobuf)
find_program(CMDMOX_PYTHON NAMES python3 VALIDATOR cmdmox_python_has_protobuf REQUIRED)
