# room(NAME BELOW... [NEEDS LIBRARY...] [FOLDER FOLDER] [SOURCES FILE...])
#
# A room is a folder of shm/, registry/, exporters/ or tools/, and becomes an object library <folder>_<name>. In quotes it
# finds its own headers and those of the rooms below it, and nothing else, so an include that runs up does not compile.
# (In the search path for <> the headers could hide the C library's.) Only it finds the headers of the libraries that it
# needs. A room below is named alone, or as folder/room if it is of another folder. FOLDER is the room's name unless
# given, SOURCES are all of the folder's. The variable room_links has the libraries that every room of the directory
# links; rooms and needs collect what the directory's programs and libraries are made of.
function(room name)
  cmake_parse_arguments(ROOM "" "FOLDER" "NEEDS;SOURCES" ${ARGN})
  get_filename_component(house ${CMAKE_CURRENT_SOURCE_DIR} NAME)
  if(NOT ROOM_FOLDER)
    set(ROOM_FOLDER ${name})
  endif()
  if(NOT ROOM_SOURCES)
    file(GLOB ROOM_SOURCES RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} CONFIGURE_DEPENDS ${ROOM_FOLDER}/*.c)
  endif()
  set(target ${house}_${name})
  add_library(${target} OBJECT ${ROOM_SOURCES})
  target_compile_options(${target} PUBLIC "SHELL:-iquote ${CMAKE_CURRENT_SOURCE_DIR}/${ROOM_FOLDER}")
  foreach(below ${ROOM_UNPARSED_ARGUMENTS})
    if(TARGET ${house}_${below})
      set(below ${house}_${below})
    endif()
    string(REPLACE "/" "_" below ${below})
    target_link_libraries(${target} PUBLIC ${below})
  endforeach()
  target_link_libraries(${target} PUBLIC ${room_links} PRIVATE ${ROOM_NEEDS})
  set(rooms ${rooms} ${target} PARENT_SCOPE)
  set(needs ${needs} ${ROOM_NEEDS} PARENT_SCOPE)
endfunction()
