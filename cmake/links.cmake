# Runs at the installation: makes the links of the installed pages those of the installed tree.
if(NOT IS_ABSOLUTE "${doc_dir}")
  set(doc_dir "${CMAKE_INSTALL_PREFIX}/${doc_dir}")
endif()
set(doc_dir "$ENV{DESTDIR}${doc_dir}")

# In the pages that match the pattern, links that begin with `from` begin with `to`.
function(relink pattern from to)
  file(GLOB pages "${doc_dir}/${pattern}")
  foreach(page ${pages})
    file(READ "${page}" text)
    string(REPLACE "](${from}" "](${to}" changed "${text}")
    if(NOT changed STREQUAL text)
      file(WRITE "${page}" "${changed}")
    endif()
  endforeach()
endfunction()

relink(README.md docs/ "")
relink(*.md ../examples examples)
relink(*/*.md ../../examples ../examples)
